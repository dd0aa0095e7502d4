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
   * Marks events as published, as far as the epoch of their shard is still the one given: whoever
   * has taken the shard since then decides about them. PostgreSQL's time in ms since 1970.
   */
  mark(events: readonly OutboxEvent[], epochs: ReadonlyMap<number, number>): Promise<number>;
  backlog(): Promise<Backlog>;
}

/** Events of one look: what a relay holds in memory at most, at 64 KiB each in the worst case. */
export const MAX_EVENTS = 1_024;
const MAX_EVENTS_OF_A_SHARD = 64;
const MAX_COUNTED = 1_000_000;

/**
 * Found by the flag, not by `id > last`: a transaction may commit an event after later ones. An
 * event's row comes after the row of its payment's earlier event, so order by id is the payment's.
 */
const UNPUBLISHED = `
  select e.shard, e.id, e.event_id, e.payment_id, e.sequence,
    (extract(epoch from e.create_time) * 1000)::float8 as occur_time_ms, e.payload, e.traceparent
  from unnest($1::smallint[]) as leased(shard) cross join lateral (
    select shard, id, event_id, payment_id, sequence, create_time, payload, traceparent
    from payment_event
    where shard = leased.shard and publish_time is null
    order by id limit ${MAX_EVENTS_OF_A_SHARD}) e
  limit ${MAX_EVENTS}`;

/**
 * By the primary key, of which PostgreSQL can't think that reading the whole index of what isn't
 * published would be quicker. The bounds are there for it to open their partitions alone.
 */
const mark = (effect?: MarkEffect) => `
  with marked as (
    update payment_event e set publish_time = clock_timestamp()
    from unnest($1::uuid[], $2::int[], $3::float8[], $4::smallint[], $5::bigint[])
      as p(payment_id, sequence, ms, shard, epoch)
    join relay_lease l on l.shard = p.shard and l.epoch = p.epoch
    where e.payment_id = p.payment_id and e.sequence = p.sequence and e.publish_time is null
      and e.create_time = to_timestamp(p.ms / 1000)
      and e.create_time between to_timestamp($6::float8 / 1000) and to_timestamp($7::float8 / 1000)
    returning e.event_id)
  ${effect ? `, led_to as (${effect.insert(8)})` : ""}
  select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`;

const BACKLOG = `
  select (select count(*) from (select from payment_event where publish_time is null
      limit ${MAX_COUNTED}) u)::int as events,
    coalesce(extract(epoch from clock_timestamp() - min(e.create_time)), 0)::float8 as oldest
  from generate_series(0, ${SHARDS - 1}) as every(shard) cross join lateral (
    select create_time from payment_event where shard = every.shard and publish_time is null
    order by id limit 1) e`;

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

/** Reads and marks the rows of `payment_event`, with what marking leads to. */
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
      const times = events.map(({ occurTimeMs }) => occurTimeMs);
      const { rows } = await pool.query<{ now: number }>({
        name: effect ? "outbox-mark-with-effect" : "outbox-mark",
        text: markText,
        values: [
          events.map(({ paymentId }) => paymentId),
          events.map(({ sequence }) => sequence),
          times,
          events.map(({ shard }) => shard),
          events.map(({ shard }) => epochs.get(shard)),
          Math.min(...times),
          Math.max(...times),
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
