import type { Database } from "../platform/database.ts";

/** An event of the log as its readers need it. */
export interface LoggedEvent {
  readonly id: string;
  /** The encoded `instantpayment.v1.PaymentEvent`. */
  readonly payload: Uint8Array;
  readonly traceparent: string | null;
}

/** The log of committed changes, for people who look at it. */
export interface EventLog {
  /** The latest events, the oldest of them first. */
  latest(limit: number): Promise<LoggedEvent[]>;
  /**
   * The events committed since `latest` or the look before; each once, a few thousand at a time.
   * After an error the next look has all that this one would have had.
   */
  fresh(): Promise<LoggedEvent[]>;
}

const MINUTE_MS = 60_000;
/** Further and further back, so that the latest of a busy log cost little. */
const LOOK_BACK_MS = [MINUTE_MS, 60 * MINUTE_MS, 24 * 60 * MINUTE_MS, 8 * 24 * 60 * MINUTE_MS];
/** Of one look. */
const MAX_FRESH = 5_000;

/** By PostgreSQL's clock, which is the one that the events' times come from. */
const SINCE = "create_time >= now() - make_interval(secs => $1::float8)";
const LATEST = `select id, payload, traceparent from payment_event where ${SINCE}
  order by id desc limit $2`;
const IDS = `select id from payment_event where ${SINCE}`;
const THESE = `select id, payload, traceparent from payment_event
  where ${SINCE} and id = any($2::bigint[]) order by id`;

/**
 * Reads the log by time. A transaction may commit an event after later ones, so each look reads the
 * ids of the minute before the last look too, and then only what it hasn't shown.
 */
export function createEventLog(deps: {
  readonly database: Pick<Database, "watchPool">;
  readonly now: () => number;
}): EventLog {
  const pool = deps.database.watchPool;
  /** Ids of what needn't be shown any more, as far as the next look can come upon them. */
  let shown = new Set<string>();
  /** When the last look began that has shown all it found. */
  let lookedMs = deps.now();

  async function idsSince(ageMs: number): Promise<string[]> {
    const { rows } = await pool.query<{ id: string }>(IDS, [ageMs / 1_000]);
    return rows.map(({ id }) => id);
  }

  return {
    async latest(limit) {
      lookedMs = deps.now();
      // Before the rows: what is committed in between is shown at once or by the next look.
      const older = await idsSince(MINUTE_MS);
      let rows: LoggedEvent[] = [];
      for (const ageMs of LOOK_BACK_MS) {
        rows = (await pool.query<LoggedEvent>(LATEST, [ageMs / 1_000, limit])).rows;
        if (rows.length === limit) break;
      }
      shown = new Set([...older, ...rows.map(({ id }) => id)]);
      return rows.toReversed();
    },
    async fresh() {
      const startMs = deps.now();
      const ageMs = MINUTE_MS + Math.max(0, startMs - lookedMs);
      const ids = await idsSince(ageMs);
      const unseen = ids.filter((id) => !shown.has(id)).toSorted((a, b) => Number(a) - Number(b));
      const taken = unseen.slice(0, MAX_FRESH);
      const rows =
        taken.length === 0
          ? []
          : (await pool.query<LoggedEvent>(THESE, [ageMs / 1_000 + 1, taken])).rows;
      const left = new Set(unseen.slice(MAX_FRESH));
      shown = new Set(ids.filter((id) => !left.has(id)));
      if (left.size === 0) lookedMs = startMs;
      return rows;
    },
  };
}
