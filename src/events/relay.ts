import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "../kernel/backoff.ts";
import type { Clock, DatabaseClock } from "../kernel/clock.ts";
import { createTurns } from "../kernel/turns.ts";
import type { Logger } from "../platform/logger.ts";
import type { RelayMetrics } from "../platform/metrics.ts";
import { MAX_EVENTS, type Outbox } from "./outbox.ts";
import { RefusedEventsError, type OutboxEvent, type Publisher } from "./publisher.ts";
import { LEASE_MS, type ShardLeases } from "./shard-leases.ts";

/** Publishes what is committed. */
export interface Relay {
  readonly start: () => void;
  /** Tells that something was committed in this process, so that it's published at once. */
  readonly wake: () => void;
  /** Ends after what is being published, and leaves the shards to others. */
  readonly stop: () => Promise<void>;
}

/** What a relay is made of. */
export interface RelayDeps {
  readonly outbox: Outbox;
  readonly leases: ShardLeases;
  readonly publisher: Publisher;
  readonly clock: Clock;
  /** Follows PostgreSQL's clock, by which lag is measured. */
  readonly databaseClock: DatabaseClock;
  readonly logger: Logger;
  readonly metrics: RelayMetrics;
}

/** A lease outlives two renewals that fail. */
const RENEW_EVERY_MS = LEASE_MS / 3;
/** From one look to the next while there is work: what comes meanwhile is published together. */
const PACE_MS = 80;
/** From one look to the next while there is none, twice as long each time. */
const IDLE_MS = { first: 50, most: 250 };
/** After a failure: of Kafka or PostgreSQL for all shards, of an event for its own. */
const BACKOFF_MS = { first: 100, most: 5_000 };
const HALT_MS = { first: 1_000, most: 60_000 };

interface Halt {
  readonly failures: number;
  readonly untilMs: number;
}

/**
 * Looks for unpublished events of its shards, publishes them in order, and marks them. As long as
 * nobody wants to have them it neither looks nor keeps shards from other relays.
 *
 * 1. Read. A crash from here on leaves everything to whoever leases the shards next.
 * 2. Publish, unless the lease may have run out meanwhile. A crash after it publishes the same
 *    events, in the same order, again: a consumer drops what isn't above the last sequence it saw.
 * 3. Mark, by the epoch of the lease.
 *
 * An event that is refused halts its shard alone; everything else that fails is tried again.
 */
export function createRelay(deps: RelayDeps): Relay {
  const { outbox, leases, publisher, clock, databaseClock, logger, metrics } = deps;
  const stopping = new AbortController();
  const halts = new Map<number, Halt>();
  let awake = Promise.withResolvers<void>();
  let running: Promise<unknown> = Promise.resolve();
  const inTurn = createTurns();
  let failures = 0;
  /** Whether somebody wants to have events: until then the shards are anybody's. */
  let isWanted = false;

  async function publishForEver(): Promise<void> {
    let idleMs = IDLE_MS.first;
    while (!stopping.signal.aborted) {
      const startMs = clock.monotonicMs();
      awake = Promise.withResolvers();
      const found = await publishNext().catch(noteFailure);
      isWanted = found !== "unwanted";
      if (found === "failed") {
        await pause(backoffMs(failures, BACKOFF_MS.first, BACKOFF_MS.most));
      } else if (found === "unwanted") {
        await pause(IDLE_MS.most);
      } else if (found > 0) {
        idleMs = IDLE_MS.first;
        if (found < MAX_EVENTS) await pause(startMs + PACE_MS - clock.monotonicMs());
      } else {
        await Promise.race([pause(idleMs), awake.promise]);
        idleMs = Math.min(idleMs * 2, IDLE_MS.most);
      }
    }
  }

  /** Returns how many events were found at first; if there is a backlog it's published. */
  async function publishNext(): Promise<number | "unwanted"> {
    const found = await publishOnce(isAny);
    if (found === MAX_EVENTS) await publishBacklog();
    return found;
  }

  /**
   * Without a break, and by halves: while Kafka takes events of one, PostgreSQL marks and reads
   * those of the other. Ends as soon as one has nothing left or fails.
   */
  async function publishBacklog(): Promise<void> {
    let goesOn = true;
    const halves = [isEven, isOdd].map(async (half) => {
      try {
        while (goesOn && !stopping.signal.aborted) {
          if ((await publishOnce(half)) !== MAX_EVENTS) goesOn = false;
        }
      } finally {
        goesOn = false;
      }
    });
    const ended = await Promise.allSettled(halves);
    for (const half of ended) if (half.status === "rejected") throw half.reason;
  }

  /** Returns how many events were found of those shards. */
  async function publishOnce(ofShards: (shard: number) => boolean): Promise<number | "unwanted"> {
    if (!(await publisher.open())) return "unwanted";
    await leases.yieldSurplus(ofShards);
    const epochs = leases.held();
    const shards = nextShards([...epochs.keys()].filter(ofShards));
    if (shards.length === 0) return 0;
    const events = await outbox.unpublished(shards);
    if (events.length === 0) return 0;
    const published: OutboxEvent[] = [];
    try {
      await publishEach(events, published);
    } finally {
      if (published.length > 0) await mark(published, epochs);
    }
    if (failures > 0) logger.info({ failures }, "events are published again");
    failures = 0;
    return events.length;
  }

  /** Those that aren't halted, any of them first, since the last may be left out. */
  function nextShards(shards: readonly number[]): number[] {
    const nowMs = clock.monotonicMs();
    const ready = shards.filter((shard) => (halts.get(shard)?.untilMs ?? 0) <= nowMs);
    const first = Math.floor(Math.random() * ready.length);
    return [...ready.slice(first), ...ready.slice(0, first)];
  }

  /** All at once; if they're refused, shard by shard. Adds to `published` what was. */
  async function publishEach(events: OutboxEvent[], published: OutboxEvent[]): Promise<void> {
    if (await isPublished(events, published)) return;
    for (const ofShard of Map.groupBy(events, ({ shard }) => shard).values()) {
      await publishFirst(ofShard, published);
    }
  }

  /** As many of one shard, from the first on, as can be; halts it if one is refused. */
  async function publishFirst(events: OutboxEvent[], published: OutboxEvent[]): Promise<boolean> {
    if (await isPublished(events, published)) return true;
    if (events.length === 1) {
      halt(events[0]!);
      return false;
    }
    const half = Math.ceil(events.length / 2);
    return (
      (await publishFirst(events.slice(0, half), published)) &&
      (await publishFirst(events.slice(half), published))
    );
  }

  async function isPublished(events: OutboxEvent[], published: OutboxEvent[]): Promise<boolean> {
    try {
      await inTurn(async () => {
        if (leases.held().size === 0) throw new Error("the leases have run out");
        await publisher.publish(events);
      });
    } catch (error) {
      if (!(error instanceof RefusedEventsError)) throw error;
      metrics.countError();
      return false;
    }
    const nowMs = databaseClock.now();
    for (const event of events) {
      metrics.observeLag((nowMs - event.occurTimeMs) / 1_000);
      if (halts.size > 0) halts.delete(event.shard);
      published.push(event);
    }
    return true;
  }

  function halt({ shard, paymentId, eventId }: OutboxEvent): void {
    const failures = (halts.get(shard)?.failures ?? 0) + 1;
    const waitMs = backoffMs(failures, HALT_MS.first, HALT_MS.most);
    halts.set(shard, { failures, untilMs: clock.monotonicMs() + waitMs });
    logger.error({ shard, paymentId, eventId, failures }, "an event is refused; its shard waits");
  }

  async function mark(events: OutboxEvent[], epochs: ReadonlyMap<number, number>): Promise<void> {
    databaseClock.observe(await outbox.mark(events, epochs));
  }

  function noteFailure(err: unknown): "failed" {
    failures++;
    metrics.countError();
    logger.warn({ err, failures }, "events can't be published now");
    return "failed";
  }

  async function renewForEver(): Promise<void> {
    while (!stopping.signal.aborted) {
      const before = leases.held().size;
      try {
        if (isWanted) await leases.renew();
        else if (before > 0) await leases.release();
      } catch (err) {
        logger.warn({ err }, "leases can't be renewed now");
      }
      if (leases.held().size !== before) awake.resolve();
      metrics.setLeases(leases.held().size);
      await pause(isWanted ? RENEW_EVERY_MS : IDLE_MS.most);
    }
  }

  async function pause(ms: number): Promise<void> {
    if (ms <= 0) return;
    await sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined);
  }

  return {
    start() {
      running = Promise.all([renewForEver(), publishForEver()]);
    },
    wake: () => awake.resolve(),
    async stop() {
      stopping.abort();
      awake.resolve();
      await running;
      // Otherwise they run out.
      await leases.release().catch((err: unknown) => logger.warn({ err }, "leases are kept"));
    },
  };
}

const isAny = (): boolean => true;
const isEven = (shard: number): boolean => shard % 2 === 0;
const isOdd = (shard: number): boolean => shard % 2 === 1;
