import { randomUUID } from "node:crypto";
import type { Clock, DatabaseClock } from "../kernel/clock.ts";
import { createTurns } from "../kernel/turns.ts";
import type { Database } from "../platform/database.ts";
import { SHARDS } from "./shard.ts";

/** The shards that this relay, and no other, publishes. */
export interface ShardLeases {
  /**
   * Says that this relay is there, keeps its shards for another while and takes free ones, up to
   * its part: none if it's outranked. Throws if PostgreSQL is away: the shards are kept as long as they were promised.
   */
  renew(): Promise<void>;
  /** Shards with the epoch of their lease; none once it may have run out. */
  held(): ReadonlyMap<number, number>;
  /** Gives back those of `shards` that are more than this relay's part, since others have come. */
  yieldSurplus(shards: (shard: number) => boolean): Promise<void>;
  /** Gives everything back. */
  release(): Promise<void>;
  /** This relay has no Kafka, and others have, or had half a minute ago: it takes no shards. */
  readonly isOutranked: boolean;
}

/** What leases need. */
export interface ShardLeasesDeps {
  readonly database: Pick<Database, "outboxPool">;
  readonly clock: Clock;
  /** Told of PostgreSQL's time. */
  readonly databaseClock: DatabaseClock;
  /** Whether this relay publishes to Kafka. */
  readonly toKafka: boolean;
}

/** A relay that has said nothing for so long counts as gone. */
export const LEASE_MS = 6_000;

const ANNOUNCE = `
  with gone as (delete from relay where expire_time < clock_timestamp() - interval '1 hour'),
  here as (insert into relay (id, expire_time, to_kafka)
    values ($1, clock_timestamp() + $2 * interval '1 ms', $3)
    on conflict (id) do update set expire_time = excluded.expire_time)
  select count(*) filter (where to_kafka = $3 and expire_time > clock_timestamp())::int as peers,
    coalesce(bool_or(to_kafka > $3), false) as outranked,
    (extract(epoch from clock_timestamp()) * 1000)::float8 as now
  from relay where id <> $1 and expire_time > clock_timestamp() - interval '30 seconds'`;

interface Others {
  /** Relays that publish to where this one does. */
  readonly peers: number;
  /** There are relays with Kafka, and this one has none. */
  readonly outranked: boolean;
  readonly now: number;
}

/** Whoever finds a row locked leaves it alone: another relay takes that shard right now. */
const RENEW_AND_TAKE = `
  with free as (
    select shard from relay_lease
    where relay_id is distinct from $1 and expire_time <= clock_timestamp()
    order by shard
    limit greatest(0, $3 - (select count(*) from relay_lease where relay_id = $1))
    for update skip locked)
  update relay_lease l
  set epoch = epoch + (relay_id is distinct from $1)::int, relay_id = $1,
    expire_time = clock_timestamp() + $2 * interval '1 ms'
  where relay_id = $1 or shard in (select shard from free)
  returning shard, epoch::int`;

const GIVE_BACK = `update relay_lease set relay_id = null, expire_time = '-infinity'
  where relay_id = $1 and shard = any($2::smallint[])`;

/**
 * Leases in `relay_lease`, by PostgreSQL's clock. Here a lease ends earlier: it is counted from the
 * moment before it was asked for, on a clock that goes on while the process is stopped.
 */
export function createShardLeases(deps: ShardLeasesDeps): ShardLeases {
  const { clock, databaseClock } = deps;
  const pool = deps.database.outboxPool;
  const relayId = randomUUID();
  let leased = new Map<number, number>();
  let validUntilMs = Number.NEGATIVE_INFINITY;
  let share = SHARDS;
  let isOutranked = false;

  // Or an answer on its way would bring back what was given back.
  const inTurn = createTurns();

  async function giveBack(shards: readonly number[]): Promise<void> {
    for (const shard of shards) leased.delete(shard);
    await pool.query(GIVE_BACK, [relayId, shards]);
  }

  return {
    renew: () => inTurn(renew),
    held() {
      return clock.monotonicMs() < validUntilMs ? leased : new Map<number, number>();
    },
    async yieldSurplus(shards) {
      if (leased.size <= share) return;
      await inTurn(() => giveBack([...leased.keys()].slice(share).filter(shards)));
    },
    release: () =>
      inTurn(async () => {
        await giveBack([...leased.keys()]);
        const leave = "update relay set expire_time = clock_timestamp() where id = $1";
        await pool.query(leave, [relayId]);
      }),
    get isOutranked() {
      return isOutranked;
    },
  };

  async function renew(): Promise<void> {
    const values = [relayId, LEASE_MS, deps.toKafka];
    const { rows: others } = await pool.query<Others>(ANNOUNCE, values);
    const { peers, outranked, now } = others[0]!;
    databaseClock.observe(now);
    isOutranked = outranked;
    share = outranked ? 0 : Math.ceil(SHARDS / (peers + 1));
    const askedMs = clock.monotonicMs();
    const { rows } = await pool.query<{ shard: number; epoch: number }>(RENEW_AND_TAKE, [
      relayId,
      LEASE_MS,
      share,
    ]);
    leased = new Map(rows.map(({ shard, epoch }) => [shard, epoch]));
    validUntilMs = askedMs + LEASE_MS;
  }
}
