import type { Clock } from "../kernel/clock.ts";
import type { CommandUnit } from "../payments/payment-command.ts";
import { accountsOf } from "../payments/payment-command.ts";

/** Which accounts payments queue for, as far as this process has felt it. */
export interface Heat {
  isHot(accountId: string): boolean;
  /** Tells how long a batch waited for accounts, in milliseconds by their ids. */
  observe(units: readonly CommandUnit[], waits: ReadonlyMap<string, number>): void;
  /** Tells that a batch lost a race, which took so many milliseconds. */
  observeConflict(units: readonly CommandUnit[], ms: number): void;
  /** How many accounts are hot. */
  readonly hotAccounts: number;
}

/** Waits are forgotten at this pace: after so many milliseconds a third of one is left. */
const MEMORY_MS = 2_000;
/** An account is hot from this share of the time on … */
const HOT = 0.1;
/** … until it has fallen to this one, so that it doesn't flicker. */
const COLD = 0.02;
/** Accounts that are kept in mind; the one that was waited for longest ago goes first. */
const MAX_ACCOUNTS = 1_000;
/** More at once are no hot spots but a busy ledger. */
const MAX_HOT = 32;

interface Warm {
  /** As it was at `atMs`. */
  readonly waitedMs: number;
  readonly atMs: number;
  readonly isHot: boolean;
}

/**
 * An account is hot if batches have spent more than a tenth of the last seconds waiting for it.
 * A wait counts by the share of the batch that needs the account: one that a single payment of
 * many needs, and whose lock is taken only because its holder waits for another, stays cold.
 */
export function createHeat(clock: Clock): Heat {
  // In the order of the last wait.
  const accounts = new Map<string, Warm>();

  function coolDown(accountId: string): Warm | undefined {
    const known = accounts.get(accountId);
    if (known === undefined) return undefined;
    const nowMs = clock.monotonicMs();
    const waitedMs = known.waitedMs * Math.exp((known.atMs - nowMs) / MEMORY_MS);
    return { waitedMs, atMs: nowMs, isHot: known.isHot && waitedMs > COLD * MEMORY_MS };
  }

  function isHot(accountId: string): boolean {
    return coolDown(accountId)?.isHot ?? false;
  }

  function countHot(): number {
    return [...accounts.keys()].filter(isHot).length;
  }

  function addWait(accountId: string, ms: number): void {
    const known = coolDown(accountId) ?? { waitedMs: 0, atMs: clock.monotonicMs(), isHot: false };
    // At most all of the time, whatever clocks do.
    const waitedMs = Math.min(MEMORY_MS, known.waitedMs + ms);
    const isNewlyHot = !known.isHot && waitedMs > HOT * MEMORY_MS && countHot() < MAX_HOT;
    accounts.delete(accountId);
    accounts.set(accountId, { ...known, waitedMs, isHot: known.isHot || isNewlyHot });
    if (accounts.size > MAX_ACCOUNTS) accounts.delete(accounts.keys().next().value!);
  }

  return {
    isHot,
    observe(units, waits) {
      if (waits.size === 0) return;
      const shares = sharesOf(units);
      for (const [accountId, ms] of waits) addWait(accountId, ms * (shares.get(accountId) ?? 0));
    },
    observeConflict(units, ms) {
      for (const [accountId, share] of sharesOf(units)) addWait(accountId, ms * share);
    },
    get hotAccounts() {
      return countHot();
    },
  };
}

/** For each account the part of the commands, 0 to 1, that need it. */
function sharesOf(units: readonly CommandUnit[]): Map<string, number> {
  const commands = units.flatMap((unit) => unit.commands);
  const shares = new Map<string, number>();
  for (const accountId of commands.flatMap(accountsOf)) {
    shares.set(accountId, (shares.get(accountId) ?? 0) + 1 / commands.length);
  }
  return shares;
}
