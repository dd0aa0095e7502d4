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

/** An estimate of PostgreSQL's clock, for the time in new ids. */
export interface DatabaseClock {
  /** Milliseconds since 1970-01-01 UTC on PostgreSQL's clock, as last seen. */
  now(): number;
  /** Tells what PostgreSQL's clock has just shown, in milliseconds since 1970-01-01 UTC. */
  observe(databaseNowMs: number): void;
}

/** Follows PostgreSQL's clock; until it has been observed it's the machine's. */
export function createDatabaseClock(clock: Clock): DatabaseClock {
  let offsetMs = 0;
  return {
    now: () => clock.now() + offsetMs,
    observe(databaseNowMs) {
      offsetMs = databaseNowMs - clock.now();
    },
  };
}
