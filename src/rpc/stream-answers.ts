import { ServiceError } from "../kernel/errors.ts";
import { toConnectError, toServiceError } from "./error-mapping.ts";
import type { HttpResponse } from "./http.ts";

/** How the answers of a stream are relayed. */
export interface RelayOptions {
  /** Whichever is aborted first ends the stream, with its reason as error. */
  readonly signals: readonly (AbortSignal | undefined)[];
  readonly response: HttpResponse;
  readonly messageTimeoutMs: number;
  readonly requestId: string;
  /** Called once, as soon as the stream is over, whether its caller takes notice or not. */
  readonly onEnd: (error: ServiceError | undefined) => void;
}

/** The answers as they come, until the implementation, a signal or the caller's idleness ends them. */
export async function* relayAnswers<T>(
  answers: AsyncIterable<T>,
  options: RelayOptions,
): AsyncGenerator<T> {
  const { messageTimeoutMs, requestId } = options;
  const iterator = answers[Symbol.asyncIterator]();
  const ending = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const finish = (error: ServiceError | undefined): void => {
    if (isOver) return;
    isOver = true;
    options.onEnd(error);
    void leave(iterator);
  };
  // Also while nobody asks for the next answer, since the last one can't be written.
  ending.signal.addEventListener("abort", () => finish(toServiceError(abortError(ending.signal))));
  const unlink = linkSignals(options.signals, ending);
  try {
    for (;;) {
      const step = await orAbort(iterator.next(), ending.signal);
      if (step.done === true) break;
      timer = setTimeout(giveUp, messageTimeoutMs, ending, options).unref();
      yield step.value;
      clearTimeout(timer);
    }
    finish(undefined);
  } catch (thrown) {
    const error = toServiceError(thrown);
    finish(error);
    throw toConnectError(error, requestId);
  } finally {
    unlink();
    clearTimeout(timer);
    // What stands if the caller leaves, which ends a generator at its `yield`.
    finish(new ServiceError("CANCELLED"));
  }
}

/** Not to be awaited: an implementation that hangs would hang its caller too. */
async function leave(iterator: AsyncIterator<unknown>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // What it had to say would have been the stream's error before.
  }
}

/** Ends a stream whose caller doesn't read; if it doesn't read the error either, it's cut off. */
function giveUp(ending: AbortController, { response, messageTimeoutMs }: RelayOptions): void {
  ending.abort(new ServiceError("STREAM_TOO_SLOW"));
  setTimeout(() => {
    if (!response.writableFinished) response.destroy();
  }, messageTimeoutMs).unref();
}

/** Aborts with whichever signal comes first; returns what undoes the link. */
function linkSignals(
  signals: readonly (AbortSignal | undefined)[],
  controller: AbortController,
): () => void {
  const undo: (() => void)[] = [];
  for (const signal of signals) {
    if (signal === undefined) continue;
    const onAbort = (): void => controller.abort(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    undo.push(() => signal.removeEventListener("abort", onAbort));
  }
  return () => {
    for (const each of undo) each();
  };
}

/** The work's outcome, or the reason of a signal that is aborted before. */
export function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortError(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Connect and the server abort with errors of their own; a plain abort means a caller who left. */
function abortError(signal: AbortSignal): unknown {
  const { reason } = signal;
  if (!(reason instanceof DOMException)) return reason;
  if (reason.name !== "TimeoutError") return new ServiceError("CANCELLED", { cause: reason });
  return new ServiceError("DEADLINE_EXCEEDED", { message: "the request's body took too long" });
}
