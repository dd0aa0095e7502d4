import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Batch, Consumer, Kafka, KafkaMessage } from "kafkajs";

/** What is shown of a message. */
export interface TailedEvent {
  readonly payload: Uint8Array;
  readonly traceparent: string | null;
  /** Where it stands, for people. */
  readonly place: string;
}

/** How to read events. */
export interface Tail {
  /** The latest events to begin with. */
  readonly limit: number;
  /** Goes on with each event as it comes. */
  readonly follow: boolean;
  /** Ends it at any time. */
  readonly stop: AbortSignal;
  /** Must not throw: what isn't an event is up to it. */
  readonly show: (event: TailedEvent) => void;
  /** The latest have been shown. */
  readonly onLatest: () => void;
  /** What is read can't be had now; told once until it can. */
  readonly onAway: (error: unknown) => void;
}

interface Span {
  readonly partition: number;
  readonly first: number;
  readonly end: number;
}

/** A cluster whose first group this is takes seconds to find a place for it. */
const START_MS = 20_000;
const TRY_AGAIN_MS = 250;
/** A group that comes back waits for its own dead member: so none does, a new one reads on. */
const RETRY = { retries: 0, restartOnFailure: async () => false };

/**
 * Shows the latest messages of a topic, of all partitions in order of time, then each one as it
 * comes, also over an outage of Kafka. It reads in groups of its own without committed offsets.
 * Once stopped it waits for nothing. Throws kafkajs's errors for what won't pass.
 */
export async function tailTopic(kafka: Kafka, topic: string, tail: Tail): Promise<void> {
  await Promise.race([readOn(kafka, topic, tail), aborted(tail.stop)]);
}

async function readOn(kafka: Kafka, topic: string, tail: Tail): Promise<void> {
  const reading = createReading(await startOffsets(kafka, topic, tail.limit), tail);
  const patience = AbortSignal.timeout(START_MS);
  while (!tail.stop.aborted) {
    try {
      return await readInGroup(kafka, topic, reading, tail);
    } catch (error) {
      if (!isPassing(error) || (!reading.isUnderWay() && patience.aborted)) throw error;
      reading.fail(error);
    }
    await sleep(TRY_AGAIN_MS);
  }
}

/**
 * Where to begin in each partition, and where what is there now ends. The first to ask Kafka: who
 * can't reach it or has no topic is told so at once.
 */
async function startOffsets(kafka: Kafka, topic: string, limit: number): Promise<Span[]> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return (await admin.fetchTopicOffsets(topic)).map(({ partition, low, high }) => ({
      partition,
      first: Math.max(Number(low), Number(high) - limit),
      end: Number(high),
    }));
  } finally {
    await admin.disconnect();
  }
}

/** What has been read, which outlives the groups that read it. */
type Reading = ReturnType<typeof createReading>;

function createReading(spans: readonly Span[], { limit, show, onLatest, onAway }: Tail) {
  const next = new Map(spans.map(({ partition, first }) => [partition, first]));
  const ends = new Map(spans.map(({ partition, end }) => [partition, end]));
  const unread = new Set(
    spans.filter(({ first, end }) => first < end).map(({ partition }) => partition),
  );
  const [latest, later]: [Seen[], Seen[]] = [[], []];
  const caughtUp = Promise.withResolvers<void>();
  let hasJoined = false;
  let isAway = false;

  function showLatest(): void {
    const inOrder = latest.toSorted((a, b) => a.timeMs - b.timeMs).slice(-limit);
    for (const seen of [...inOrder, ...later]) show(seen);
    onLatest();
    caughtUp.resolve();
  }
  if (unread.size === 0) showLatest();

  return {
    caughtUp: caughtUp.promise,
    isUnderWay: () => hasJoined && unread.size === 0,
    take({ partition, highWatermark, messages }: Batch): void {
      // Less than there was: somebody has made the topic anew.
      if (Number(highWatermark) < (next.get(partition) ?? 0)) next.set(partition, 0);
      for (const message of messages) {
        const offset = Number(message.offset);
        // kafkajs may hand over once more what it had fetched before it failed.
        if (offset < (next.get(partition) ?? 0)) continue;
        next.set(partition, offset + 1);
        const seen = toSeen(partition, message);
        if (unread.size === 0) show(seen);
        else (offset < (ends.get(partition) ?? 0) ? latest : later).push(seen);
      }
    },
    /** What isn't a message, such as a mark of a transaction, has an offset too. */
    passTo(partition: number, offset: number): void {
      next.set(partition, Math.max(offset, next.get(partition) ?? 0));
      const isRead = offset >= (ends.get(partition) ?? 0);
      if (isRead && unread.delete(partition) && unread.size === 0) showLatest();
    },
    seekIn(consumer: Consumer, topic: string): void {
      hasJoined = true;
      isAway = false;
      for (const [partition, offset] of next) {
        consumer.seek({ topic, partition, offset: String(offset) });
      }
    },
    /** Before it joins for the first time it isn't away but on its way: a new group takes time. */
    fail(error: unknown): void {
      if (hasJoined && !isAway) onAway(error);
      isAway = true;
    },
  };
}

async function readInGroup(
  kafka: Kafka,
  topic: string,
  reading: Reading,
  { follow, stop }: Tail,
): Promise<void> {
  const groupId = `instant-payment-tail-${randomUUID()}`;
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100, retry: RETRY });
  const { CRASH, END_BATCH_PROCESS, GROUP_JOIN } = consumer.events;
  const crashed = Promise.withResolvers<never>();
  crashed.promise.catch(() => undefined);
  consumer.on(CRASH, ({ payload }) => crashed.reject(payload.error));
  // Whoever joins begins anew: without a committed offset, wherever it isn't told to.
  consumer.on(GROUP_JOIN, () => reading.seekIn(consumer, topic));
  consumer.on(END_BATCH_PROCESS, ({ payload: { partition, lastOffset } }) =>
    reading.passTo(partition, Number(lastOffset) + 1),
  );

  async function read(): Promise<void> {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => reading.take(batch),
    });
    await Promise.race([crashed.promise, reading.caughtUp]);
    if (follow) await crashed.promise;
  }

  try {
    await Promise.race([read(), aborted(stop)]);
  } catch (error) {
    await consumer.disconnect().catch(() => undefined);
    throw error;
  }
  await consumer.disconnect().catch(() => undefined);
  await deleteGroup(kafka, groupId).catch(() => undefined);
}

/** Kafka would do it too, ten minutes later. */
async function deleteGroup(kafka: Kafka, groupId: string): Promise<void> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    await admin.deleteGroups([groupId]);
  } finally {
    await admin.disconnect();
  }
}

/** As kafkajs decides whether to start a consumer again. */
function isPassing(error: unknown): boolean {
  if (error instanceof Error && error.name === "KafkaJSNumberOfRetriesExceeded") return true;
  let cause = error;
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
  return cause instanceof Error && "retriable" in cause && cause.retriable === true;
}

interface Seen extends TailedEvent {
  readonly timeMs: number;
}

function toSeen(partition: number, { offset, timestamp, value, headers }: KafkaMessage): Seen {
  return {
    timeMs: Number(timestamp),
    payload: value ?? new Uint8Array(),
    traceparent: headers?.["traceparent"]?.toString() ?? null,
    place: `offset ${offset} of partition ${partition}`,
  };
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
