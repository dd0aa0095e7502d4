import { setImmediate as turn } from "node:timers/promises";
import type { CommitBatch, CommitOutcome } from "../../src/ledger/commit-batch.ts";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import type { CommandUnit, PaymentCommand } from "../../src/payments/payment-command.ts";

/** A transaction that has begun and ends when the test says so. */
export interface Begun {
  readonly units: readonly CommandUnit[];
  /** The commands of all units. */
  readonly commands: readonly PaymentCommand[];
  /** Locks its accounts, without having had to wait. */
  lock(): void;
  /** Ends it with a new payment for each command, or with the outcomes given for each unit. */
  finish(outcomes?: readonly CommitOutcome[][]): Promise<void>;
}

/** What a commit says of a command whose payment is stored under the command's id. */
export function stored(command: PaymentCommand): CommitOutcome {
  return {
    kind: "stored",
    payment: { id: command.id } as PaymentRow,
    asDebtor: true,
    asCreditor: true,
    replayed: false,
  };
}

/** What a commit says of units whose payments are all stored. */
export function allStored(units: readonly CommandUnit[]): CommitOutcome[][] {
  return units.map((unit) => unit.commands.map(stored));
}

/** A commit whose transactions, in the order they began, are the test's to end. */
export function createHeldCommit(): { readonly commit: CommitBatch; readonly begun: Begun[] } {
  const begun: Begun[] = [];
  const commit: CommitBatch = (units, onLocked) =>
    new Promise((resolve) => {
      begun.push({
        units,
        commands: units.flatMap((unit) => unit.commands),
        lock: () => onLocked?.(new Map()),
        async finish(outcomes = allStored(units)) {
          resolve([...outcomes]);
          await nextTurn();
        },
      });
    });
  return { commit, begun };
}

/** Lets everything run that doesn't wait for a transaction or a timer. */
export async function nextTurn(): Promise<void> {
  await turn();
  await turn();
}
