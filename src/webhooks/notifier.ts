import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../kernel/clock.ts";
import type { Database } from "../platform/database.ts";
import type { Logger } from "../platform/logger.ts";
import type { Metrics } from "../platform/metrics.ts";
import { createWebhookMetrics } from "../platform/webhook-metrics.ts";
import { cleanDeliveries } from "./clean-deliveries.ts";
import { createDeliveryQueue } from "./delivery-queue.ts";
import { createEventConsumer, type EventConsumerDeps } from "./kafka-consumer.ts";
import { createLoggedEvents } from "./logged-events.ts";
import { createPlanDeliveries } from "./plan-deliveries.ts";
import { createPostWebhook } from "./post-webhook.ts";
import { createSender } from "./sender.ts";
import { createTakeEvents } from "./take-events.ts";

/** What tells owners what happens to their payments. */
export interface Notifier {
  /** Tells that there may be new deliveries, so that they're sent at once. */
  readonly wake: () => void;
  readonly start: () => void;
  /** Throws, with a reason for operators, if it reads from Kafka and couldn't now. */
  readonly check: () => Promise<void>;
  /** What of the events may not be told, for operators; undefined if nothing is known. */
  readonly degraded: () => string | undefined;
  readonly stop: () => Promise<void>;
}

/** What a notifier is made of. */
export interface NotifierDeps extends Pick<EventConsumerDeps, "topic" | "readEvent"> {
  readonly database: Database;
  /** Undefined: the relay writes the deliveries. */
  readonly kafka: EventConsumerDeps["kafka"] | undefined;
  /** Endpoints may be private addresses, and without TLS. */
  readonly allowPrivate: boolean;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const CLEAN_EVERY_MS = 10 * 60_000;

/** Reads events, if there is Kafka, sends deliveries and removes old ones. */
export function createNotifier(deps: NotifierDeps): Notifier {
  const { database, kafka, topic, readEvent, logger } = deps;
  const queue = createDeliveryQueue(database);
  const metrics = createWebhookMetrics(deps.metrics, () => queue.backlog());
  const poster = createPostWebhook(deps);
  const sender = createSender({ queue, poster, clock: systemClock, logger, metrics });
  const plan = createPlanDeliveries(database);
  const takeEvents = createTakeEvents({ database, plan, written: sender.wake });
  const consumer =
    kafka &&
    createEventConsumer({
      kafka,
      topic,
      readEvent,
      takeEvents,
      log: createLoggedEvents({ database, readEvent, takeEvents, logger }),
      onDeadLetter: metrics.countDeadLetter,
      onGap: metrics.countGap,
      clock: systemClock,
      logger,
    });
  const stopping = new AbortController();
  let cleaning: Promise<void> = Promise.resolve();

  async function cleanForEver(): Promise<void> {
    while (!stopping.signal.aborted) {
      await cleanDeliveries(database).catch((err: unknown) =>
        logger.warn({ err }, "old webhook deliveries can't be removed now"),
      );
      const { signal } = stopping;
      await sleep(CLEAN_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  return {
    wake: sender.wake,
    start() {
      consumer?.start();
      sender.start();
      cleaning = cleanForEver();
    },
    check: async () => consumer?.check(),
    degraded: () => consumer?.degraded(),
    async stop() {
      stopping.abort();
      await consumer?.stop();
      await sender.stop();
      await cleaning;
    },
  };
}
