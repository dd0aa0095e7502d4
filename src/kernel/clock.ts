/**
 * The time of this process. Only for ids, time-outs and measuring: what is booked when, and what
 * has expired, is decided by PostgreSQL's clock.
 */
export interface Clock {
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number;
  /** Milliseconds on a clock that never jumps, as `performance.now()`. */
  monotonicMs(): number;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
};
