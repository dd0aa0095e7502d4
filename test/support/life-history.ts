import { AsyncLocalStorage } from "node:async_hooks";
import { createDatabaseClock, systemClock, type DatabaseClock } from "../../src/kernel/clock.ts";
import type { CommitBatch, CommitOutcome } from "../../src/ledger/commit-batch.ts";
import type { PaymentCommand } from "../../src/payments/payment-command.ts";

/** Something that happened to the ledger, at a moment when it had the locks for it. */
export type Step =
  | {
      readonly kind: "commands";
      readonly nowMs: number;
      readonly done: readonly { command: PaymentCommand; outcome: CommitOutcome }[];
    }
  | {
      readonly kind: "freeze";
      readonly nowMs: number;
      readonly accountId: string;
      readonly frozen: boolean;
    };

interface Moment {
  /** Its place in the order of all decisions, and the time that it was made by. */
  order: number;
  nowMs: number;
}

/** What happened, in an order in which it could have happened one after the other. */
export interface History {
  /** The clock of a ledger: reads and decisions under locks go through it. */
  clock(): DatabaseClock;
  readonly watchCommit: (commit: CommitBatch) => CommitBatch;
  /** Notes a change of an account, which reads the clock under its lock. */
  freeze(accountId: string, frozen: boolean, change: () => Promise<unknown>): Promise<void>;
  steps(): Step[];
}

/**
 * Watches ledgers of one process from outside. Whatever conflicts waits for the other's locks, so
 * the order in which decisions are made, each under its locks, is an order of the transactions.
 */
export function createHistory(): History {
  const current = new AsyncLocalStorage<Moment>();
  const steps: { moment: Moment; step: (nowMs: number) => Step }[] = [];
  let decisions = 0;

  function mark(nowMs: number): void {
    const moment = current.getStore();
    if (moment) Object.assign(moment, { order: ++decisions, nowMs });
  }

  return {
    clock() {
      const clock = createDatabaseClock(systemClock);
      return {
        now() {
          const nowMs = clock.now();
          mark(nowMs);
          return nowMs;
        },
        observe(nowMs) {
          clock.observe(nowMs);
          mark(nowMs);
        },
      };
    },
    watchCommit: (commit) => async (units) => {
      const moment = { order: 0, nowMs: 0 };
      const outcomes = await current.run(moment, () => commit(units));
      const done = units.flatMap(({ commands }, i) =>
        commands.map((command, j) => ({ command, outcome: outcomes[i]![j]! })),
      );
      steps.push({ moment, step: (nowMs) => ({ kind: "commands", nowMs, done }) });
      return outcomes;
    },
    async freeze(accountId, frozen, change) {
      const moment = { order: 0, nowMs: 0 };
      await current.run(moment, change);
      steps.push({ moment, step: (nowMs) => ({ kind: "freeze", nowMs, accountId, frozen }) });
    },
    steps: () =>
      steps
        .toSorted((a, b) => a.moment.order - b.moment.order)
        .map(({ moment, step }) => step(moment.nowMs)),
  };
}
