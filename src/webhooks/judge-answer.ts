import { backoffMs } from "../kernel/backoff.ts";
import type { AttemptResult, ClaimedDelivery } from "./delivery-queue.ts";
import type { PostAnswer } from "./post-webhook.ts";

/** The wait after the first failure; it doubles with each one, up to the longest. */
const WAIT_MS = { first: 5_000, most: 4 * 3_600_000 };
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;

/** What an answer, or the error that came in its place, means for a delivery. */
export function judgeAnswer(
  delivery: Pick<ClaimedDelivery, "id" | "endpointId" | "endpointMs" | "attempt" | "failures">,
  answer: PostAnswer | Error,
  nowMs: number,
): AttemptResult {
  const { id, endpointId, endpointMs, attempt, failures } = delivery;
  const common = { id, endpointId, endpointMs, attempt, waitMs: 0, pauseMs: 0 };
  const waitMs = backoffMs(failures + 1, WAIT_MS.first, WAIT_MS.most);
  if (answer instanceof Error) {
    return {
      ...common,
      outcome: "failed",
      statusCode: undefined,
      error: answer.message,
      waitMs,
    };
  }
  const { statusCode } = answer;
  if (statusCode >= 200 && statusCode < 300) {
    return { ...common, outcome: "delivered", statusCode, error: undefined };
  }
  const pauseMs = statusCode === 429 || statusCode === 503 ? retryAfterMs(answer, nowMs) : 0;
  return {
    ...common,
    outcome: statusCode === 410 ? "gone" : "failed",
    statusCode,
    error: ERRORS[statusCode] ?? (isRedirect(statusCode) ? REDIRECT : `it answered ${statusCode}`),
    waitMs: Math.max(waitMs, pauseMs),
    pauseMs,
  };
}

const REDIRECT = "it redirects, which isn't followed: change the endpoint's URL";

const ERRORS: Readonly<Record<number, string>> = {
  410: "it answered 410: the endpoint is gone",
  429: "it answered 429: too many requests",
};

const isRedirect = (statusCode: number) => statusCode >= 300 && statusCode < 400;

/** Retry-After (RFC 9110, 10.2.3) in milliseconds: seconds, or a date; at most a day. */
function retryAfterMs({ retryAfter = "" }: PostAnswer, nowMs: number): number {
  const text = retryAfter.trim();
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(0, ms), MAX_RETRY_AFTER_MS);
}
