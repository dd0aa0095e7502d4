import { systemClock } from "../../src/kernel/clock.ts";
import { failureFrom } from "./failure.ts";
import { type MembersOf, onlyKnown } from "./members.ts";
import {
  backoffOf,
  cancelled,
  failed,
  type RetryPolicy,
  sleep,
  waitAfter,
  wholeNumber,
} from "./retry.ts";

/** What every watch takes. */
export interface WatchOptions {
  /** All that is above this sequence, from the first with 0. Absent: what is, then what comes. */
  readonly afterSequence?: number;
  /** Ends the watch, which then throws CANCELLED. Leaving the loop ends it too. */
  readonly signal?: AbortSignal;
  /** How long the service may be out of reach before the watch throws. Default 60,000. */
  readonly timeoutMs?: number;
}

const WATCH_OPTIONS: MembersOf<WatchOptions> = {
  afterSequence: true,
  signal: true,
  timeoutMs: true,
};

/** A stream of the service, as it's opened, again and again. */
export interface Source<Message, Item> {
  /** Opens it after all that was taken. */
  readonly open: (options: { readonly signal: AbortSignal }) => AsyncIterable<Message>;
  /** What a message brings; undefined if that is nothing, or nothing new. */
  readonly take: (message: Message) => Item | undefined;
  /** True if nothing can come any more once the service ends the stream without an error. */
  readonly ends: boolean;
}

/** Reads a stream, for each iteration from a source of its own, and opens it whenever it breaks. */
export type Follow = <Message, Item>(
  start: () => Source<Message, Item>,
  options: WatchOptions,
) => AsyncIterable<Item>;

/** The service says something every ten seconds. */
const SILENCE_MS = 30_000;

/**
 * Makes what keeps streams open: with full jitter on an exponential backoff, never before the
 * service's RetryInfo. Throws InstantPaymentError: what the service refuses for good, or the last
 * failure once it was out of reach for too long.
 */
export function createFollow(policy: RetryPolicy): Follow {
  const backoff = backoffOf(policy);

  async function* follow<Message, Item>(
    source: Source<Message, Item>,
    { signal, timeoutMs }: WatchOptions,
  ): AsyncGenerator<Item> {
    const traits = { writes: false };
    let contactMs = systemClock.monotonicMs();
    let attempts = 0;
    let failures = 0;
    const limitMs = wholeNumber("timeoutMs", timeoutMs ?? 60_000, 1);
    for (;;) {
      attempts++;
      const attempt = new AbortController();
      const leave = () => attempt.abort(signal?.reason);
      signal?.addEventListener("abort", leave);
      try {
        if (signal?.aborted) leave();
        const stream = source.open({ signal: attempt.signal })[Symbol.asyncIterator]();
        for (;;) {
          const step = await unlessSilent(stream.next(), attempt);
          if (step.done === true) break;
          contactMs = systemClock.monotonicMs();
          failures = 0;
          const item = source.take(step.value);
          if (item === undefined) continue;
          yield item;
          // While the caller was busy with it nobody could find out whether the service was there.
          contactMs = systemClock.monotonicMs();
        }
        if (source.ends) return;
      } catch (cause) {
        const failure = failureFrom(cause);
        const state = { traits, attempts, open: false };
        if (signal?.aborted) throw cancelled(signal, state);
        const waitMs = waitAfter(failure, ++failures, backoff);
        const isTooLate = systemClock.monotonicMs() + waitMs - contactMs >= limitMs;
        if (!failure.retryable || isTooLate) throw failed(failure, state);
        await sleep(waitMs, signal);
        if (signal?.aborted) throw cancelled(signal, state);
      } finally {
        signal?.removeEventListener("abort", leave);
        attempt.abort();
      }
    }
  }

  return (start, options) => {
    onlyKnown(options, WATCH_OPTIONS, "options");
    return { [Symbol.asyncIterator]: () => follow(start(), options) };
  };
}

/** Aborts the attempt if the next message takes too long. */
async function unlessSilent<T>(next: Promise<T>, attempt: AbortController): Promise<T> {
  const timer = setTimeout(() => attempt.abort(), SILENCE_MS);
  try {
    return await next;
  } finally {
    clearTimeout(timer);
  }
}
