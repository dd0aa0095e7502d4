import type { Database } from "../platform/database.ts";
import type { MarkEffect, OutboxEvent } from "./publisher.ts";
import { SHARDS } from "./shard.ts";

/** What isn't published yet of the whole log, whoever has to publish it. */
export interface Backlog {
  /** Counted up to a million. */
  readonly events: number;
  /** How long the oldest of them has been waiting; 0 if there is none. */
  readonly oldestSeconds: number;
}

/** The events that wait to be published. */
export interface Outbox {
  /**
   * Of each shard the first events that aren't published, in order of id; some of the later shards
   * may be left out when there are many.
   */
  unpublished(shards: readonly number[]): Promise<OutboxEvent[]>;
  /**
   * Marks events as published, so that they wait no more, as far as the epoch of their shard is
   * still the one given: whoever has taken the shard since then decides about them. PostgreSQL's
   * time in ms since 1970.
   */
  mark(events: readonly OutboxEvent[], epochs: ReadonlyMap<number, number>): Promise<number>;
  backlog(): Promise<Backlog>;
}

/** Events of one look: what a relay holds in memory at most, at 64 KiB each in the worst case. */
export const MAX_EVENTS = 1_024;
const MAX_EVENTS_OF_A_SHARD = 64;
const MAX_COUNTED = 1_000_000;

/**
 * Found by what waits, not by `id > last`: a transaction may commit an event after later ones. An
 * event's row comes after the row of its payment's earlier event, so order by id is the payment's.
 * The limit of one has PostgreSQL look each up by its key instead of reading the log for a join.
 */
const UNPUBLISHED = `
  select u.shard, u.id, e.event_id, u.payment_id, u.sequence,
    (extract(epoch from u.create_time) * 1000)::float8 as occur_time_ms, e.payload, e.traceparent
  from (
    select first.* from unnest($1::smallint[]) as leased(shard) cross join lateral (
      select * from unpublished_event where shard = leased.shard
      order by id limit ${MAX_EVENTS_OF_A_SHARD}) first
    limit ${MAX_EVENTS}) u
  cross join lateral (
    select event_id, payload, traceparent from payment_event
    where payment_id = u.payment_id and sequence = u.sequence and create_time = u.create_time
    limit 1) e`;

/**
 * Looked up one by one: a plain join PostgreSQL may think quicker by reading all that waits. A row
 * stays in its place until it's deleted, so what is found there is what was looked up.
 */
const mark = (effect?: MarkEffect) => `
  with marked as (
    delete from unpublished_event where ctid = any(array(
      select u.ctid from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as p(shard, id, epoch)
      join relay_lease l on l.shard = p.shard and l.epoch = p.epoch
      cross join lateral (
        select ctid from unpublished_event where shard = p.shard and id = p.id limit 1) u))
    returning payment_id, sequence)
  ${effect ? `, led_to as (${effect.insert(4)})` : ""}
  select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`;

const BACKLOG = `
  select (select count(*) from (select from unpublished_event limit ${MAX_COUNTED}) u)::int as events,
    coalesce(extract(epoch from clock_timestamp() - min(u.create_time)), 0)::float8 as oldest
  from generate_series(0, ${SHARDS - 1}) as every(shard) cross join lateral (
    select create_time from unpublished_event where shard = every.shard order by id limit 1) u`;

interface OutboxRow {
  readonly shard: number;
  readonly id: string;
  readonly event_id: string;
  readonly payment_id: string;
  readonly sequence: number;
  readonly occur_time_ms: number;
  readonly payload: Buffer;
  readonly traceparent: string | null;
}

/** Reads the events that `unpublished_event` lists; a mark takes them off, with what it leads to. */
export function createOutbox(
  { outboxPool: pool }: Pick<Database, "outboxPool">,
  effect?: MarkEffect,
): Outbox {
  const markText = mark(effect);
  return {
    async unpublished(shards) {
      const { rows } = await pool.query<OutboxRow>({
        name: "outbox-unpublished",
        text: UNPUBLISHED,
        values: [shards],
      });
      return rows.map((row) => ({
        shard: row.shard,
        id: row.id,
        eventId: row.event_id,
        paymentId: row.payment_id,
        sequence: row.sequence,
        occurTimeMs: row.occur_time_ms,
        payload: row.payload,
        traceparent: row.traceparent,
      }));
    },
    async mark(events, epochs) {
      const { rows } = await pool.query<{ now: number }>({
        name: effect ? "outbox-mark-with-effect" : "outbox-mark",
        text: markText,
        values: [
          events.map(({ shard }) => shard),
          events.map(({ id }) => id),
          events.map(({ shard }) => epochs.get(shard)),
          ...((await effect?.valuesOf(events)) ?? []),
        ],
      });
      effect?.written();
      return rows[0]!.now;
    },
    async backlog() {
      const { rows } = await pool.query<{ events: number; oldest: number }>(BACKLOG);
      return { events: rows[0]!.events, oldestSeconds: Math.max(0, rows[0]!.oldest) };
    },
  };
}
