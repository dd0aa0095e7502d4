import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "../kernel/backoff.ts";
import type { Clock, DatabaseClock } from "../kernel/clock.ts";
import { createTurns } from "../kernel/turns.ts";
import type { Logger } from "../platform/logger.ts";
import type { RelayMetrics } from "../platform/metrics.ts";
import { createHalts } from "./halts.ts";
import { keepLeases } from "./keep-leases.ts";
import { MAX_EVENTS, type Outbox } from "./outbox.ts";
import { RefusedEventsError, type OutboxEvent, type Publisher } from "./publisher.ts";
import type { ShardLeases } from "./shard-leases.ts";

/** Publishes what is committed. */
export interface Relay {
  readonly start: () => void;
  /** Tells that something was committed in this process, so that it's published at once. */
  readonly wake: () => void;
  /** Throws, with the reason, if it couldn't publish when it tried last. */
  readonly check: () => void;
  /** Why not all is published at the moment, for operators; undefined if nothing is known. */
  readonly degraded: () => string | undefined;
  /** Ends after what is being published, within five seconds, and leaves the shards to others. */
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

/** From one look to the next while there is work: what comes meanwhile is published together. */
const PACE_MS = 80;
/** From one look to the next while there is none, twice as long each time. */
const IDLE_MS = { first: 50, most: 250 };
/** After a failure of Kafka or PostgreSQL. */
const BACKOFF_MS = { first: 100, most: 5_000 };
/** After so many in a row others may have better luck with the shards. */
const FAILURES_TO_LEAVE = 3;
/** A failure counts for so long, unless something was published since. */
const FAILURE_SHOWN_MS = 30_000;
/** What is being published at a stop may take so long; a Kafka that doesn't answer takes longer. */
const STOP_MS = 5_000;

/**
 * Looks for unpublished events of its shards, publishes them in order, and marks them. As long as
 * nobody wants to have them, or it can't publish them, it keeps no shards from other relays.
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
  const halts = createHalts(deps);
  let awake = Promise.withResolvers<void>();
  let running: Promise<unknown> = Promise.resolve();
  const inTurn = createTurns();
  let failures = 0;
  let lastFailure: { readonly err: unknown; readonly atMs: number } | undefined;
  /** Whether it has use for shards: somebody wants events, and it can publish them. */
  let isUseful = false;

  async function publishForEver(): Promise<void> {
    let idleMs = IDLE_MS.first;
    while (!stopping.signal.aborted) {
      const startMs = clock.monotonicMs();
      awake = Promise.withResolvers();
      const found = await publishNext().catch(noteFailure);
      isUseful = found === "failed" ? failures < FAILURES_TO_LEAVE : found !== "unwanted";
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
    const found = await publishOnce(() => true);
    if (found === MAX_EVENTS) await publishBacklog();
    return found;
  }

  /**
   * Without a break, and by halves: while Kafka takes events of one, PostgreSQL marks and reads
   * those of the other. Ends as soon as one has nothing left or fails.
   */
  async function publishBacklog(): Promise<void> {
    let goesOn = true;
    const halves = [0, 1].map(async (half) => {
      try {
        while (goesOn && !stopping.signal.aborted) {
          if ((await publishOnce((shard) => shard % 2 === half)) !== MAX_EVENTS) goesOn = false;
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
    lastFailure = undefined;
    return events.length;
  }

  /** Those that aren't halted, any of them first, since the last may be left out. */
  function nextShards(shards: readonly number[]): number[] {
    const ready = shards.filter((shard) => !halts.isHalted(shard));
    const first = Math.floor(Math.random() * ready.length);
    return [...ready.slice(first), ...ready.slice(0, first)];
  }

  /** All at once; if they're refused, shard by shard. Adds to `published` what was. */
  async function publishEach(events: OutboxEvent[], published: OutboxEvent[]): Promise<void> {
    if ((await refusalOf(events, published)) === undefined) return;
    for (const ofShard of Map.groupBy(events, ({ shard }) => shard).values()) {
      await publishFirst(ofShard, published);
    }
  }

  /** As many of one shard, from the first on, as can be; halts it if one is refused. */
  async function publishFirst(events: OutboxEvent[], published: OutboxEvent[]): Promise<boolean> {
    const refusal = await refusalOf(events, published);
    if (refusal === undefined) return true;
    if (events.length === 1) {
      halts.halt(events[0]!, refusal);
      return false;
    }
    const half = Math.ceil(events.length / 2);
    return (
      (await publishFirst(events.slice(0, half), published)) &&
      (await publishFirst(events.slice(half), published))
    );
  }

  /** Publishes all, or says why they're refused. */
  async function refusalOf(
    events: OutboxEvent[],
    published: OutboxEvent[],
  ): Promise<RefusedEventsError | undefined> {
    try {
      await inTurn(async () => {
        if (leases.held().size === 0) throw new Error("the leases have run out");
        await publisher.publish(events);
      });
    } catch (error) {
      if (!(error instanceof RefusedEventsError)) throw error;
      metrics.countError();
      return error;
    }
    const nowMs = databaseClock.now();
    for (const event of events) {
      metrics.observeLag((nowMs - event.occurTimeMs) / 1_000);
      halts.end(event.shard);
      published.push(event);
    }
    return undefined;
  }

  async function mark(events: OutboxEvent[], epochs: ReadonlyMap<number, number>): Promise<void> {
    databaseClock.observe(await outbox.mark(events, epochs));
  }

  function noteFailure(err: unknown): "failed" {
    failures++;
    lastFailure = { err, atMs: clock.monotonicMs() };
    metrics.countError();
    logger.warn({ err, failures }, "events can't be published now");
    return "failed";
  }

  function recentFailure(): unknown {
    const sinceMs = clock.monotonicMs() - (lastFailure?.atMs ?? 0);
    return sinceMs < FAILURE_SHOWN_MS ? lastFailure?.err : undefined;
  }

  async function pause(ms: number): Promise<void> {
    if (ms <= 0) return;
    await sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined);
  }

  return {
    start() {
      const { signal } = stopping;
      const isWanted = () => isUseful;
      const onChange = () => awake.resolve();
      running = Promise.all([
        keepLeases({ ...deps, isWanted, onChange, signal }),
        publishForEver(),
      ]);
    },
    wake: () => awake.resolve(),
    check() {
      const failure = recentFailure();
      if (failure !== undefined) throw failure;
    },
    degraded() {
      const failure = recentFailure();
      if (failure instanceof Error) return `events can't be published: ${failure.message}`;
      const halted = [...leases.held().keys()].filter((shard) => halts.has(shard)).length;
      return halted > 0 ? `${halted} of 64 shards wait, since an event is refused` : undefined;
    },
    async stop() {
      stopping.abort();
      awake.resolve();
      const limit = sleep(STOP_MS, false, { ref: false });
      const isEnded = await Promise.race([running.then(() => true), limit]);
      // What is still on its way mustn't be overtaken by others: then, too, the leases run out.
      if (!isEnded) return;
      await leases.release().catch((err: unknown) => logger.warn({ err }, "leases are kept"));
    },
  };
}
