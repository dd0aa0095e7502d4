import { systemClock } from "../kernel/clock.ts";
import { processLock, type AccountLock } from "../ledger/account-lock.ts";
import { createHeat, type Heat } from "../ledger/heat.ts";
import type { Logger } from "../platform/logger.ts";
import { createHotAccountMetrics, type Metrics } from "../platform/metrics.ts";
import { createHotAccountLock, type HotAccountLock } from "./hot-account-lock.ts";

/** What the ledger's queue needs to keep hot payments apart, measured. */
export interface HotAccounts {
  readonly heat: Heat;
  readonly lock: AccountLock;
  readonly onConflict: () => void;
  /** For `/readyz`: what is wrong with Redis, if anything. */
  readonly degraded: () => Readonly<Record<string, string>>;
  readonly close: () => Promise<void>;
}

/** What that is made of. */
export interface HotAccountsDeps {
  /** Where processes queue together; undefined: each has a queue of its own. */
  readonly redisUrl: string | undefined;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Never throws: a Redis that can't be reached is one without which payments go on. */
export function createHotAccounts({ redisUrl, logger, metrics }: HotAccountsDeps): HotAccounts {
  const clock = systemClock;
  const heat = createHeat(clock);
  const measured = createHotAccountMetrics(metrics, {
    hotAccounts: () => heat.hotAccounts,
    isDegraded: () => lock?.degraded !== undefined,
  });
  const { observeTurn: observe, countLost: onLost } = measured;
  const lock: HotAccountLock | undefined =
    redisUrl === undefined
      ? undefined
      : createHotAccountLock({ redisUrl, clock, logger, observe, onLost });
  return {
    heat,
    lock: lock ?? processLock,
    onConflict: measured.countConflict,
    degraded(): Record<string, string> {
      return lock?.degraded === undefined ? {} : { redis: lock.degraded };
    },
    close: async () => lock?.close(),
  };
}
