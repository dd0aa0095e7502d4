import type { Clock } from "../kernel/clock.ts";
import { ServiceError } from "../kernel/errors.ts";
import type { SeenPayment } from "../payments/payment.ts";
import { accountsOf, type CommandUnit, type PaymentCommand } from "../payments/payment-command.ts";
import { isConflict } from "../platform/postgres-errors.ts";
import type { AccountLock } from "./account-lock.ts";
import type { CommitBatch, CommitOutcome } from "./commit-batch.ts";
import type { Heat } from "./heat.ts";
import { accountsOfUnit, createLane, type BatchObserver, type Pass, type Waiting } from "./lane.ts";

/** The payment that a command made, or had made before, as the caller may see it. */
export interface Committed extends SeenPayment {
  readonly replayed: boolean;
}

/** The queue in front of the ledger's transaction. */
export interface GroupCommit {
  /**
   * Commits the command with all others that wait. Throws a ServiceError: the refusal of the
   * command itself, OVERLOADED if the queue is full, DEADLINE_EXCEEDED if the time ran out before
   * it was begun, UNAVAILABLE if PostgreSQL is away or the queue is draining, INTERNAL otherwise.
   */
  submit(command: PaymentCommand, deadlineMs: number): Promise<Committed>;
  /** As `submit` for each; those that share accounts are decided in their order. */
  submitEach(commands: readonly PaymentCommand[], deadlineMs: number): Promise<Committed>[];
  /**
   * Commits all commands or none. An outcome for each: all stored, or none of the new ones and
   * each with its error. Throws as `submit` what concerns all of them.
   */
  submitAtomic(commands: readonly PaymentCommand[], deadlineMs: number): Promise<CommitOutcome[]>;
  /** Takes no more commands and waits until all that are in have their answer. */
  drain(): Promise<void>;
  /** How many commands wait. */
  readonly waiting: number;
}

/** What the queue needs, and its bounds. */
export interface GroupCommitDeps {
  readonly commit: CommitBatch;
  readonly clock: Clock;
  /** Tells which accounts are hot. */
  readonly heat: Heat;
  /** Where hot payments queue with those of other processes. */
  readonly lock: AccountLock;
  /** The most commands of one transaction. */
  readonly maxBatch: number;
  /** The most commands that wait; one more is refused, and so is an atomic unit that is larger. */
  readonly maxQueue: number;
  /** The most transactions at once of payments that aren't hot; the hot ones have one more. */
  readonly lanes: number;
  /** The least commands for which a transaction is begun beside one that runs; 1 by default. */
  readonly minBatchBeside?: number;
  /** Told of every batch. */
  readonly observe?: BatchObserver;
  /** Told of every transaction that lost a race and will be run again. */
  readonly onConflict?: () => void;
}

const RETRY_AFTER_MS = 200;

/**
 * Two lanes, so that payments which needn't wait for a hot account don't. In the hot one, a batch
 * first waits for its turn on its hot accounts, together with other processes, and takes along
 * all that has come in by then. The turn ends once PostgreSQL has locked the accounts, so that the
 * next transaction of any process, and only that one, is there when this one commits.
 */
export function createGroupCommit(deps: GroupCommitDeps): GroupCommit {
  const { heat } = deps;
  let draining = false;
  const drained = Promise.withResolvers<void>();

  const common = { ...deps, commit: withHeat(deps), onIdle: resolveIfDrained };
  const cold = createLane({ ...common, width: deps.lanes });
  const hot = createLane({ ...common, width: 1, enter: enterHotLane });

  async function enterHotLane(queue: readonly Waiting[]): Promise<Pass> {
    const ids = new Set(queue.slice(0, deps.maxBatch).flatMap(hotAccountsOf));
    if (ids.size === 0) return { admits: isCold, release: () => undefined };
    const lock = await deps.lock.acquire([...ids].toSorted());
    heat.observe(queue, lock.waits);
    return {
      admits: (unit) => hotAccountsOf(unit).every((id) => ids.has(id)),
      release: lock.release,
    };
  }

  function hotAccountsOf({ commands }: CommandUnit): string[] {
    return commands.flatMap(accountsOf).filter((id) => heat.isHot(id));
  }

  function isCold(unit: CommandUnit): boolean {
    return hotAccountsOf(unit).length === 0;
  }

  /** Those with a hot account and all that share accounts with them, so that they keep their order. */
  function hotAmong(units: readonly CommandUnit[]): ReadonlySet<CommandUnit> {
    const found = new Set(units.filter((unit) => !isCold(unit)));
    if (found.size === 0 || found.size === units.length) return found;
    const sides = units.flatMap((unit) => accountsOfUnit(unit).map((id) => ({ id, unit })));
    const byAccount = Map.groupBy(sides, ({ id }) => id);
    // Grows while it's gone through.
    for (const unit of found) {
      for (const id of accountsOfUnit(unit)) {
        for (const side of byAccount.get(id) ?? []) found.add(side.unit);
        byAccount.delete(id);
      }
    }
    return found;
  }

  function countWaiting(): number {
    return cold.waiting + hot.waiting;
  }

  function resolveIfDrained(): void {
    if (draining && cold.isIdle && hot.isIdle) drained.resolve();
  }

  function enqueue(
    unit: CommandUnit,
    deadlineMs: number,
    lane = isCold(unit) ? cold : hot,
  ): Promise<readonly CommitOutcome[]> {
    if (draining) return Promise.reject(unavailable());
    if (countWaiting() + unit.commands.length > deps.maxQueue) {
      return Promise.reject(new ServiceError("OVERLOADED", { retryAfterMs: RETRY_AFTER_MS }));
    }
    return new Promise((resolve, reject) => lane.push({ ...unit, deadlineMs, resolve, reject }));
  }

  function submitEach(commands: readonly PaymentCommand[], deadlineMs: number) {
    const units = commands.map((command) => ({ commands: [command], atomic: false }));
    const hotUnits = hotAmong(units);
    return units.map(async (unit) => {
      const [outcome] = await enqueue(unit, deadlineMs, hotUnits.has(unit) ? hot : cold);
      if (outcome?.kind === "stored") return outcome;
      throw outcome?.kind === "refused" ? outcome.error : unavailable();
    });
  }

  return {
    submit: (command, deadlineMs) => submitEach([command], deadlineMs)[0]!,
    submitEach,
    async submitAtomic(commands, deadlineMs) {
      return [...(await enqueue({ commands, atomic: true }, deadlineMs))];
    },
    drain() {
      draining = true;
      resolveIfDrained();
      return drained.promise;
    },
    get waiting() {
      return countWaiting();
    },
  };
}

/** The commit, telling the heat for which accounts it waited and what races it lost. */
function withHeat({ commit, clock, heat, onConflict }: GroupCommitDeps): CommitBatch {
  return async (units, onLocked) => {
    const startMs = clock.monotonicMs();
    try {
      return await commit(units, (waits) => {
        onLocked?.(waits);
        heat.observe(units, waits);
      });
    } catch (error) {
      if (isConflict(error)) {
        heat.observeConflict(units, clock.monotonicMs() - startMs);
        onConflict?.();
      }
      throw error;
    }
  };
}

function unavailable(): ServiceError {
  return new ServiceError("UNAVAILABLE", { retryAfterMs: RETRY_AFTER_MS });
}
