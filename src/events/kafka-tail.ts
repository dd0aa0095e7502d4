import { randomUUID } from "node:crypto";
import type { Consumer, Kafka, KafkaMessage } from "kafkajs";

/** What is shown of a message. */
export interface TailedEvent {
  readonly payload: Uint8Array;
  readonly traceparent: string | null;
}

/** What to read of a topic. */
export interface TailOptions {
  readonly topic: string;
  /** The latest messages to begin with. */
  readonly limit: number;
  readonly show: (event: TailedEvent) => void;
  /** Ends it; absent: it ends after the latest. */
  readonly until?: AbortSignal;
}

interface Span {
  readonly partition: number;
  readonly first: number;
  readonly end: number;
}

/** A cluster whose first group this is takes seconds to find a place for it. */
const RETRY = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 20 };

interface Seen extends TailedEvent {
  readonly timeMs: number;
}

/**
 * Shows the latest messages of a topic, of all partitions in order of time, then each one as it
 * comes. It reads in a group of its own, which leaves no trace. Throws kafkajs's errors.
 */
export async function tailTopic(kafka: Kafka, options: TailOptions): Promise<void> {
  const groupId = `instant-payment-tail-${randomUUID()}`;
  const partitions = await startOffsets(kafka, options);
  const admin = kafka.admin({ retry: RETRY });
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100, retry: RETRY });
  try {
    await admin.connect();
    await admin.setOffsets({
      groupId,
      topic: options.topic,
      partitions: partitions.map(({ partition, first }) => ({ partition, offset: String(first) })),
    });
    await readTail(consumer, partitions, options);
  } finally {
    await consumer.disconnect().catch(() => undefined);
    await admin.deleteGroups([groupId]).catch(() => undefined);
    await admin.disconnect();
  }
}

/**
 * Where to begin in each partition, and where what is there now ends. The first to ask Kafka: who
 * can't reach it or has no topic is told so at once.
 */
async function startOffsets(kafka: Kafka, { topic, limit }: TailOptions): Promise<Span[]> {
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

async function readTail(
  consumer: Consumer,
  partitions: readonly Span[],
  options: TailOptions,
): Promise<void> {
  const { topic, limit, show } = options;
  const ends = new Map(partitions.map(({ partition, end }) => [partition, end]));
  const unread = new Set(
    partitions.filter(({ first, end }) => first < end).map(({ partition }) => partition),
  );
  const [latest, later]: [Seen[], Seen[]] = [[], []];
  const caughtUp = Promise.withResolvers<void>();

  function showLatest(): void {
    const inOrder = latest.toSorted((a, b) => a.timeMs - b.timeMs).slice(-limit);
    for (const seen of [...inOrder, ...later]) show(seen);
    caughtUp.resolve();
  }

  if (unread.size === 0) caughtUp.resolve();
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: false });
  await consumer.run({
    eachMessage: async ({ partition, message }) => {
      const seen = toSeen(message);
      const end = ends.get(partition) ?? 0;
      if (unread.size === 0) show(seen);
      else (Number(message.offset) < end ? latest : later).push(seen);
      if (Number(message.offset) + 1 >= end && unread.delete(partition) && unread.size === 0) {
        showLatest();
      }
    },
  });
  await caughtUp.promise;
  if (options.until) await aborted(options.until);
}

function toSeen({ timestamp, value, headers }: KafkaMessage): Seen {
  const traceparent = headers?.["traceparent"]?.toString() ?? null;
  return { timeMs: Number(timestamp), payload: value ?? new Uint8Array(), traceparent };
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
