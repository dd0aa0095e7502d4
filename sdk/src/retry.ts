import { systemClock } from "../../src/kernel/clock.ts";
import { InstantPaymentError, invalidInput } from "./error.ts";
import { type Failure, failureFrom } from "./failure.ts";
import { type MembersOf, onlyKnown } from "./members.ts";

/** How calls are repeated. All times in milliseconds. */
export interface RetryPolicy {
  /** How often a request is sent at most, the first time included. Default 4; 1: no retries. */
  readonly maxAttempts?: number;
  /** After how long one attempt without an answer is given up and made again. Default 5,000. */
  readonly attemptTimeoutMs?: number;
  /** The longest wait before the first retry; it doubles with each. Default 100. */
  readonly initialBackoffMs?: number;
  /** The longest wait of all, if the service doesn't ask for a longer one. Default 2,000. */
  readonly maxBackoffMs?: number;
}

const RETRY_POLICY: MembersOf<RetryPolicy> = {
  maxAttempts: true,
  attemptTimeoutMs: true,
  initialBackoffMs: true,
  maxBackoffMs: true,
};

/** What every method takes last. */
export interface CallOptions {
  /** Ends the call at once, waits included. What it did meanwhile stays: see `outcomeUnknown`. */
  readonly signal?: AbortSignal;
  /** The time for the call with all its retries, in milliseconds, instead of the client's. */
  readonly timeoutMs?: number;
}

/** The members of CallOptions. */
export const CALL_OPTIONS: MembersOf<CallOptions> = { signal: true, timeoutMs: true };

/** What a retry is told about its call. */
export interface CallTraits {
  /** True if the call changes something, so that a lost answer leaves its outcome open. */
  readonly writes: boolean;
  readonly idempotencyKey?: string;
  readonly accountId?: string;
  /** True if the call mustn't be sent a second time: each one that gets through counts. */
  readonly once?: boolean;
  /** Instead of the client's, for a call that takes its time. */
  readonly attemptTimeoutMs?: number;
}

/** What is handed to each attempt. */
export interface AttemptOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs: number;
}

/** Makes a call: repeats the attempt until it answers, is refused or the time is up. */
export type MakeCall = <T>(
  traits: CallTraits,
  options: CallOptions,
  attempt: (options: AttemptOptions) => Promise<T>,
) => Promise<T>;

/** The longest waits before a repetition, in milliseconds. */
export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** The waits of a policy. Throws INVALID_FIELD. */
export function backoffOf({ initialBackoffMs, maxBackoffMs }: RetryPolicy): Backoff {
  return {
    firstMs: wholeNumber("retry.initialBackoffMs", initialBackoffMs ?? 100, 0),
    mostMs: wholeNumber("retry.maxBackoffMs", maxBackoffMs ?? 2_000, 0),
  };
}

/** How long to wait after so many failures: as the service asks, and a random part of the limit. */
export function waitAfter({ parts }: Failure, failures: number, backoff: Backoff): number {
  const ceilingMs = Math.min(backoff.mostMs, backoff.firstMs * 2 ** Math.min(failures - 1, 30));
  return (parts.retryAfterMs ?? 0) + Math.random() * ceilingMs;
}

const MAX_TIMER_MS = 2_147_483_647;

/**
 * Makes calls with bounded retries: full jitter on an exponential backoff, never before the
 * service's RetryInfo, never past the call's time-out. Throws InstantPaymentError only.
 */
export function createMakeCall(timeoutMs: number, policy: RetryPolicy): MakeCall {
  onlyKnown(policy, RETRY_POLICY, "retry", "retry.");
  const maxAttempts = wholeNumber("retry.maxAttempts", policy.maxAttempts ?? 4, 1);
  const attemptMs = wholeNumber("retry.attemptTimeoutMs", policy.attemptTimeoutMs ?? 5_000, 1);
  const backoff = backoffOf(policy);
  const clientTimeoutMs = wholeNumber("timeoutMs", timeoutMs, 1);

  return async (traits, options, attempt) => {
    onlyKnown(options, CALL_OPTIONS, "options");
    const totalMs = wholeNumber("timeoutMs", options.timeoutMs ?? clientTimeoutMs, 1);
    const { signal } = options;
    const deadlineMs = systemClock.monotonicMs() + totalMs;
    const leftMs = () => deadlineMs - systemClock.monotonicMs();
    let open = false;
    if (signal?.aborted) throw cancelled(signal, { traits, attempts: 0, open });
    for (let attempts = 1; ; attempts++) {
      try {
        const timeoutMs = Math.max(
          1,
          Math.ceil(Math.min(traits.attemptTimeoutMs ?? attemptMs, leftMs())),
        );
        return await attempt({ timeoutMs, ...(signal && { signal }) });
      } catch (cause) {
        const failure = failureFrom(cause);
        open = traits.writes && !failure.verdict && (open || failure.open);
        const state = { traits, attempts, open };
        if (signal?.aborted) throw cancelled(signal, state);
        const waitMs = waitAfter(failure, attempts, backoff);
        const isLast = traits.once === true || attempts >= maxAttempts;
        if (!failure.retryable || isLast || waitMs >= leftMs()) {
          throw failed(failure, state);
        }
        await sleep(waitMs, signal);
        if (signal?.aborted) throw cancelled(signal, state);
      }
    }
  };
}

/** How far a call has come. */
export interface CallState {
  readonly traits: CallTraits;
  readonly attempts: number;
  /** The service may have done what was asked. */
  readonly open: boolean;
}

/** The error of a call that isn't repeated any more. */
export function failed({ message, parts }: Failure, state: CallState): InstantPaymentError {
  const { traits, attempts, open } = state;
  const { idempotencyKey, accountId } = traits;
  return new InstantPaymentError(message, {
    ...parts,
    attempts,
    outcomeUnknown: open,
    idempotencyKey,
    accountId,
  });
}

/** The error of a call that its caller has ended. */
export function cancelled(signal: AbortSignal, state: CallState): InstantPaymentError {
  const parts = { reason: "CANCELLED", code: "canceled", cause: signal.reason } as const;
  const message = "The caller's signal ended the call.";
  return failed({ message, parts, retryable: false, open: false, verdict: false }, state);
}

/** The value, if it's a whole number that a timer takes. Throws INVALID_FIELD. */
export function wholeNumber(name: string, value: number, least: number): number {
  if (Number.isInteger(value) && value >= least && value <= MAX_TIMER_MS) return value;
  throw invalidInput(name, `must be a whole number from ${least} to ${MAX_TIMER_MS}`);
}

/** Waits; returns early when the signal is aborted. */
export function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
    if (signal?.aborted) done();
  });
}
