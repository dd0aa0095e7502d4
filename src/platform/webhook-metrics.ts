import { Counter, Gauge, Histogram } from "prom-client";
import type { Metrics } from "./metrics.ts";

/** Up to the time-out of a request. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What is measured of webhooks. */
export interface WebhookMetrics {
  readonly observeAttempt: (attempt: { outcome: string; seconds: number }) => void;
  readonly countDeadLetter: () => void;
  readonly countGap: () => void;
  readonly countDisabled: () => void;
}

/** What waits for endpoints that are enabled. */
type ReadDeliveries = () => Promise<{
  readonly deliveries: number;
  readonly oldestSeconds: number;
}>;

/** Adds a notifier's metrics to an app's; `read` is called whenever they are asked for. */
export function createWebhookMetrics({ registry }: Metrics, read: ReadDeliveries): WebhookMetrics {
  const registers = [registry];
  const attempts = new Histogram({
    name: "instant_payment_webhook_seconds",
    help: "Time that webhook requests took, by what came of them: delivered, failed or gone",
    labelNames: ["outcome"],
    buckets: SECONDS,
    registers,
  });
  const deadLetters = new Counter({
    name: "instant_payment_webhook_dead_letters_total",
    help: "Messages of the events' topic that couldn't be told and went to the topic for those",
    registers,
  });
  const gaps = new Counter({
    name: "instant_payment_webhook_gaps_total",
    help: "Partitions of the events' topic found with events gone that may not have been read",
    registers,
  });
  const disabled = new Counter({
    name: "instant_payment_webhook_disabled_total",
    help: "Endpoints that were disabled because they were gone or dead for days",
    registers,
  });
  const oldest: Gauge = new Gauge({
    name: "instant_payment_webhook_oldest_due_seconds",
    help: "How long the oldest delivery has been due, of endpoints that are enabled",
    registers,
  });
  const waiting: Gauge = new Gauge({
    name: "instant_payment_webhook_waiting",
    help: "Deliveries that wait for endpoints that are enabled, counted up to a million",
    registers,
    async collect() {
      const nobodyKnows = { deliveries: Number.NaN, oldestSeconds: Number.NaN };
      const { deliveries, oldestSeconds } = await read().catch(() => nobodyKnows);
      waiting.set(deliveries);
      oldest.set(oldestSeconds);
    },
  });
  return {
    observeAttempt: ({ outcome, seconds }) => attempts.observe({ outcome }, seconds),
    countDeadLetter: () => deadLetters.inc(),
    countGap: () => gaps.inc(),
    countDisabled: () => disabled.inc(),
  };
}
