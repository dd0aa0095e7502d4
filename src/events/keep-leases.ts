import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../platform/logger.ts";
import type { RelayMetrics } from "../platform/metrics.ts";
import { LEASE_MS, type ShardLeases } from "./shard-leases.ts";

/** What a relay's leases are kept by. */
export interface KeepLeasesDeps {
  readonly leases: ShardLeases;
  /** Whether the relay has use for shards; until then they are anybody's. */
  readonly isWanted: () => boolean;
  /** Told when there are more shards or fewer. */
  readonly onChange: () => void;
  /** Ends it. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly metrics: RelayMetrics;
}

/** A lease outlives two renewals that fail. */
const RENEW_EVERY_MS = LEASE_MS / 3;
/** From one look whether shards are wanted to the next. */
const UNWANTED_MS = 250;

/** Renews the leases of a relay as long as it has use for them, and gives them back when it hasn't. */
export async function keepLeases(deps: KeepLeasesDeps): Promise<void> {
  const { leases, isWanted, logger, signal } = deps;
  let wasOutranked = false;
  while (!signal.aborted) {
    const before = leases.held().size;
    try {
      if (isWanted()) await leases.renew();
      else if (before > 0) await leases.release();
    } catch (err) {
      logger.warn({ err }, "leases can't be renewed now");
    }
    if (leases.isOutranked && !wasOutranked) {
      logger.warn("events are left to relays with KAFKA_BROKERS, which this instance lacks");
    }
    wasOutranked = leases.isOutranked;
    if (leases.held().size !== before) deps.onChange();
    deps.metrics.setLeases(leases.held().size);
    const pauseMs = isWanted() ? RENEW_EVERY_MS : UNWANTED_MS;
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}
