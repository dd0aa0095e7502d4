import { setTimeout as sleep } from "node:timers/promises";
import { ServiceError } from "../kernel/errors.ts";
import type { CommandUnit } from "../payments/payment-command.ts";
import {
  isConflict,
  isConnectionError,
  isPassing,
  isServerTrouble,
} from "../platform/postgres-errors.ts";
import type { CommitBatch, CommitOutcome } from "./commit-batch.ts";

const MAX_CONFLICTS = 20;
const MAX_LOST_CONNECTIONS = 4;
const LOST_CONNECTION_BACKOFF_MS = 150;

/**
 * Runs one batch to its end and settles every unit, whatever happens; never throws.
 *
 * - A lost race (version conflict, deadlock) is run again, at most 20 times.
 * - After a lost connection nobody knows whether the COMMIT took effect. The same commands, with
 *   the same keys and payment ids, are run again: what was stored is found, what wasn't is stored.
 *   While PostgreSQL stays away the answer is UNAVAILABLE, never "failed".
 * - A full disk or a standby is nobody's fault: all are UNAVAILABLE, with nothing written.
 * - Any other error is some unit's fault: the batch is halved until the culprit stands alone.
 */
export async function runBatch<T extends CommandUnit>(
  commit: CommitBatch,
  batch: readonly T[],
  settle: (unit: T, outcomes: readonly CommitOutcome[]) => void,
): Promise<void> {
  let outcomes: CommitOutcome[][];
  try {
    outcomes = await commitPersistently(commit, batch);
  } catch (error) {
    if (error instanceof ServiceError || batch.length === 1) {
      const refusal = error instanceof ServiceError ? error : refusalOf(error);
      for (const unit of batch) {
        settle(
          unit,
          unit.commands.map(() => ({ kind: "refused", error: refusal })),
        );
      }
      return;
    }
    const half = Math.ceil(batch.length / 2);
    await runBatch(commit, batch.slice(0, half), settle);
    await runBatch(commit, batch.slice(half), settle);
    return;
  }
  batch.forEach((unit, i) => settle(unit, outcomes[i]!));
}

async function commitPersistently(
  commit: CommitBatch,
  units: readonly CommandUnit[],
): Promise<CommitOutcome[][]> {
  let conflicts = 0;
  let lostConnections = 0;
  for (;;) {
    try {
      return await commit(units);
    } catch (error) {
      if (isConflict(error) && ++conflicts <= MAX_CONFLICTS) {
        await sleep(Math.random() * 2 * conflicts);
      } else if (isConnectionError(error) && ++lostConnections <= MAX_LOST_CONNECTIONS) {
        await sleep(LOST_CONNECTION_BACKOFF_MS * lostConnections * (0.5 + Math.random()));
      } else if (isConflict(error) || isConnectionError(error) || isServerTrouble(error)) {
        throw unavailable(error);
      } else {
        throw error;
      }
    }
  }
}

function refusalOf(cause: unknown): ServiceError {
  return isPassing(cause) ? unavailable(cause) : new ServiceError("INTERNAL", { cause });
}

function unavailable(cause: unknown): ServiceError {
  return new ServiceError("UNAVAILABLE", { retryAfterMs: 500, cause });
}
