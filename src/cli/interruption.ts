import { constants } from "node:os";

/** What Ctrl-C and SIGTERM do to a command that would stay. */
export interface Interruption {
  /** Aborted by the first of them. */
  readonly signal: AbortSignal;
  /** 0, or after the first of them 128 and its number, unless it has succeeded. */
  exitCode(): number;
  /** From now on whoever interrupts it has had what there was to have. */
  succeed(): void;
}

/** npm passes Ctrl-C on a second time: that one is void. */
const REPEATED_MS = 300;

/**
 * From now on Ctrl-C and SIGTERM ask the command to end. Whatever hangs, the process ends
 * `limitMs` later, and at once when it's asked again.
 */
export function onInterruption(limitMs: number): Interruption {
  const stop = new AbortController();
  let by: NodeJS.Signals | undefined;
  let hasSucceeded = false;
  let isRepeated = true;

  const exitCode = () =>
    by === undefined || hasSucceeded ? 0 : 128 + (constants.signals[by] ?? 0);

  function interrupt(signal: NodeJS.Signals): void {
    if (by === undefined) {
      by = signal;
      stop.abort();
      setTimeout(() => (isRepeated = false), REPEATED_MS).unref();
      setTimeout(() => process.exit(exitCode()), limitMs).unref();
    } else if (!isRepeated) process.exit(exitCode());
  }

  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, interrupt);
  return { signal: stop.signal, exitCode, succeed: () => void (hasSucceeded = true) };
}
