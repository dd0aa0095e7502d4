import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "../kernel/backoff.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../platform/logger.ts";
import type { WebhookMetrics } from "../platform/webhook-metrics.ts";
import {
  CLAIM_MS,
  type AttemptResult,
  type ClaimedDelivery,
  type DeliveryQueue,
} from "./delivery-queue.ts";
import { judgeAnswer } from "./judge-answer.ts";
import type { PostWebhook } from "./post-webhook.ts";
import { signWebhook } from "./sign-webhook.ts";

/** Sends the deliveries that are due. */
export interface Sender {
  readonly start: () => void;
  /** Tells that there are new deliveries, so that they're sent at once. */
  readonly wake: () => void;
  /** Ends after the requests that are under way. */
  readonly stop: () => Promise<void>;
}

/** What a sender is made of. */
export interface SenderDeps {
  readonly queue: DeliveryQueue;
  readonly poster: PostWebhook;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: WebhookMetrics;
}

const MAX_UNDER_WAY = 256;
const MAX_RESULTS = 500;
/** From one claim to the next while there is work. */
const PACE_MS = 10;
/** From one look to the next while there is none, twice as long each time. */
const IDLE_MS = { first: 20, most: 250 };
const BACKOFF_MS = { first: 100, most: 5_000 };

/**
 * Sends what is due, as many notifiers at once as there are.
 *
 * 1. Claim. A crash after it leaves the deliveries to whoever comes when the claim has passed.
 * 2. Sign and post, each by itself, so that a slow endpoint holds up nobody else. A crash after it
 *    sends the same once more, under the same id.
 * 3. Write what came of it, unless another attempt has begun since; all that has ended meanwhile
 *    together.
 */
export function createSender(deps: SenderDeps): Sender {
  const { queue, poster, clock, logger, metrics } = deps;
  const stopping = new AbortController();
  const underWay = new Map<string, number>();
  let awake = Promise.withResolvers<void>();
  let running: Promise<unknown> = Promise.resolve();
  const sending = new Set<Promise<void>>();
  let results: (AttemptResult & { readonly untilMs: number })[] = [];
  let writing: Promise<void> | undefined;

  async function sendForEver(): Promise<void> {
    let idleMs = IDLE_MS.first;
    let failures = 0;
    while (!stopping.signal.aborted) {
      awake = Promise.withResolvers();
      const claimed = await claim();
      failures = claimed === undefined ? failures + 1 : 0;
      if (claimed === undefined) {
        await pause(backoffMs(failures, BACKOFF_MS.first, BACKOFF_MS.most));
      } else if (claimed > 0) {
        idleMs = IDLE_MS.first;
        await pause(PACE_MS);
      } else {
        await Promise.race([pause(idleMs), awake.promise]);
        await pause(PACE_MS);
        idleMs = Math.min(idleMs * 2, IDLE_MS.most);
      }
    }
  }

  /** Returns how many were claimed; undefined if that failed. */
  async function claim(): Promise<number | undefined> {
    const free = MAX_UNDER_WAY - sending.size;
    if (free === 0) return 0;
    try {
      const claimed = await queue.claim(free, underWay);
      for (const delivery of claimed) {
        const sent: Promise<void> = send(delivery).finally(() => sending.delete(sent));
        sending.add(sent);
      }
      return claimed.length;
    } catch (err) {
      logger.warn({ err }, "webhook deliveries can't be claimed now");
      return undefined;
    }
  }

  async function send(delivery: ClaimedDelivery): Promise<void> {
    const { id, url, body, secrets, endpointId } = delivery;
    underWay.set(endpointId, (underWay.get(endpointId) ?? 0) + 1);
    const startMs = clock.monotonicMs();
    const timestampSeconds = Math.floor(clock.now() / 1_000);
    const headers = signWebhook({ id, timestampSeconds, body }, secrets);
    const answer = await poster.post({ url, headers, body }).catch((error: Error) => error);
    const endMs = clock.monotonicMs();
    const result = judgeAnswer(delivery, answer, clock.now());
    metrics.observeAttempt({ outcome: result.outcome, seconds: (endMs - startMs) / 1_000 });
    results.push({ ...result, untilMs: startMs + CLAIM_MS });
    writing ??= writeResults().finally(() => (writing = undefined));
    const others = underWay.get(endpointId)! - 1;
    if (others > 0) underWay.set(endpointId, others);
    else underWay.delete(endpointId);
    awake.resolve();
  }

  async function writeResults(): Promise<void> {
    for (let failures = 0; results.length > 0;) {
      const some = results.splice(0, MAX_RESULTS);
      try {
        for (const { id, ownerId, reason } of await queue.write(some)) {
          logger.warn({ webhookEndpointId: id, ownerId, reason }, "a webhook endpoint is disabled");
          metrics.countDisabled();
        }
        failures = 0;
        awake.resolve();
      } catch (err) {
        logger.warn({ err }, "what came of webhook deliveries can't be written now");
        if (stopping.signal.aborted) return void (results = []);
        await pause(backoffMs(++failures, BACKOFF_MS.first, BACKOFF_MS.most));
        // What is older is sent again by whoever claims it.
        const nowMs = clock.monotonicMs();
        results = [...some.filter(({ untilMs }) => untilMs > nowMs), ...results];
      }
    }
  }

  async function pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined);
  }

  return {
    start() {
      running = sendForEver();
    },
    wake: () => awake.resolve(),
    async stop() {
      stopping.abort();
      awake.resolve();
      await running;
      await Promise.all(sending);
      await writing;
      poster.close();
    },
  };
}
