import { setTimeout as sleep } from "node:timers/promises";
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from "kafkajs";
import { createTopicCheck, ensureTopic, type EventTopic } from "../events/kafka-topic.ts";
import { backoffMs } from "../kernel/backoff.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../platform/logger.ts";
import { createDeadLetters, type DeadLetter } from "./kafka-dead-letters.ts";
import { createPlaces } from "./kafka-places.ts";
import type { LoggedEvents } from "./logged-events.ts";
import type { WebhookEvent } from "./plan-deliveries.ts";
import { takeByHalves, type TakeEvents } from "./take-events.ts";

/** Reads the events' topic, together with all notifiers. */
export interface EventConsumer {
  readonly start: () => void;
  /** Throws, with a reason for operators, unless Kafka has the topic. */
  readonly check: () => Promise<void>;
  /** What of the events may not be told, for operators; undefined if nothing is known. */
  readonly degraded: () => string | undefined;
  /** Ends after what is being taken, and leaves the partitions to others. */
  readonly stop: () => Promise<void>;
}

/** What a consumer is made of. */
export interface EventConsumerDeps {
  readonly kafka: Kafka;
  readonly topic: EventTopic;
  /** Throws if it isn't an event. */
  readonly readEvent: (body: Uint8Array) => WebhookEvent;
  /** Does for events what is to be done, once however often they come. */
  readonly takeEvents: TakeEvents;
  /** For events that are gone from Kafka. */
  readonly log: LoggedEvents;
  readonly onDeadLetter: () => void;
  readonly onGap: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A notifier that says nothing for so long is replaced; brokers take no less by default. */
const SESSION_TIMEOUT_MS = 6_000;
const BACKOFF_MS = { first: 100, most: 5_000 };
const MAX_AT_ONCE = 500;

interface ReadMessage {
  readonly message: KafkaMessage;
  readonly event: WebhookEvent;
}

/** Tells Kafka that this notifier is still there. */
type Beat = () => Promise<void>;

/**
 * Reads in the group `<topic>.webhooks`.
 *
 * 1. Take the events of a partition. A crash after it takes them once more, which changes nothing.
 * 2. Put what isn't an event, or can't be told for what is in it, with the error into the topic
 *    `<topic>.dlq`, so that the partition moves on.
 * 3. Commit the offsets.
 *
 * Whatever else fails is tried again for as long as it takes. What is gone from Kafka before it's
 * read is told, and taken from the log before anything else of its partition.
 */
export function createEventConsumer(deps: EventConsumerDeps): EventConsumer {
  const { kafka, topic, readEvent, takeEvents, logger } = deps;
  const groupId = `${topic.name}.webhooks`;
  const places = createPlaces({ ...deps, topic: topic.name, groupId });
  const stopping = new AbortController();
  const topicCheck = createTopicCheck(kafka, topic.name);
  const deadLetters = createDeadLetters(kafka, topic);
  let running: Promise<void> = Promise.resolve();

  async function consumeForEver(): Promise<void> {
    for (let failures = 0; !stopping.signal.aborted;) {
      try {
        await consume(() => (failures = 0));
      } catch (err) {
        if (stopping.signal.aborted) return;
        logger.warn({ err }, "events can't be read from Kafka now");
      }
      await pause(backoffMs(++failures, BACKOFF_MS.first, BACKOFF_MS.most));
    }
  }

  /** Reads until it's stopped. Throws what the consumer can't get over by itself. */
  async function consume(onJoined: () => void): Promise<void> {
    await ensureTopic(kafka, topic);
    await places.settle(stopping.signal);
    const consumer: Consumer = kafka.consumer({
      groupId,
      sessionTimeout: SESSION_TIMEOUT_MS,
      heartbeatInterval: SESSION_TIMEOUT_MS / 4,
      rebalanceTimeout: 10_000,
      maxWaitTimeInMs: 100,
      // Whatever it can't get over, it begins anew.
      retry: { retries: 5, restartOnFailure: async () => false },
    });
    const ended = Promise.withResolvers<void>();
    ended.promise.catch(() => undefined); // It may be before anybody waits for it.
    consumer.on(consumer.events.CRASH, ({ payload }) => ended.reject(payload.error));
    consumer.on(consumer.events.GROUP_JOIN, onJoined);
    const stop = () => ended.resolve();
    stopping.signal.addEventListener("abort", stop, { once: true });
    try {
      await consumer.connect();
      await consumer.subscribe({ topic: topic.name, fromBeginning: true });
      await consumer.run({
        async eachBatch(payload) {
          await places.check(payload.batch).catch((error: unknown) => {
            // At once: kafkajs would try some more times.
            ended.reject(error);
            throw error;
          });
          await takeBatch(payload);
        },
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: 4,
      });
      if (!stopping.signal.aborted) await ended.promise;
    } finally {
      stopping.signal.removeEventListener("abort", stop);
      await consumer.disconnect().catch(() => undefined);
    }
  }

  async function takeBatch(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const isOurs = () => payload.isRunning() && !payload.isStale();
    for (let first = 0; first < batch.messages.length; first += MAX_AT_ONCE) {
      if (!isOurs()) return;
      const messages = batch.messages.slice(first, first + MAX_AT_ONCE);
      for (let failures = 0, done = false; !done;) {
        try {
          await bury(batch.partition, await take(messages, () => payload.heartbeat()));
          done = true;
        } catch (err) {
          logger.warn({ err }, "events can't be taken now");
          if (!isOurs()) throw err;
          await pause(backoffMs(++failures, BACKOFF_MS.first, SESSION_TIMEOUT_MS / 4));
          await payload.heartbeat();
        }
      }
      const { offset } = messages.at(-1)!;
      payload.resolveOffset(offset);
      places.moveTo(batch.partition, Number(offset) + 1);
      await payload.heartbeat();
    }
    // Behind the last message there may be marks of a transaction.
    places.moveTo(batch.partition, Number(batch.lastOffset()) + 1);
  }

  /** Returns those that can't be taken, now or later. */
  async function take(messages: readonly KafkaMessage[], beat: Beat): Promise<DeadLetter[]> {
    const dead: DeadLetter[] = [];
    const read: ReadMessage[] = [];
    for (const message of messages) {
      try {
        read.push({ message, event: readEvent(message.value ?? new Uint8Array()) });
      } catch (error) {
        dead.push({ message, error });
      }
    }
    const bad = await takeByHalves(read, takeEvents, beat);
    return [...dead, ...bad.map(({ one, error }) => ({ message: one.message, error }))];
  }

  async function bury(partition: number, dead: readonly DeadLetter[]): Promise<void> {
    await deadLetters.bury(partition, dead);
    for (const { message, error: err } of dead) {
      deps.onDeadLetter();
      const { offset } = message;
      const at = { partition, offset, deadTopic: deadLetters.topic };
      logger.error({ err, ...at }, "a message is set aside");
    }
  }

  async function pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined);
  }

  return {
    start() {
      running = consumeForEver();
    },
    check: topicCheck.check,
    degraded: places.degraded,
    async stop() {
      stopping.abort();
      await running;
      await Promise.all([deadLetters.close(), topicCheck.close()]);
    },
  };
}
