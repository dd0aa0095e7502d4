import type { Clock } from "../kernel/clock.ts";
import { ServiceError } from "../kernel/errors.ts";
import type { SeenPayment } from "../payments/payment.ts";
import type { CommandUnit, PaymentCommand } from "../payments/payment-command.ts";
import type { CommitBatch, CommitOutcome } from "./commit-batch.ts";
import { runBatch } from "./run-batch.ts";

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
  /** The most commands of one transaction. */
  readonly maxBatch: number;
  /** The most commands that wait; one more is refused. */
  readonly maxQueue: number;
  /** The most transactions at once. */
  readonly lanes: number;
  /** Told of every transaction. */
  readonly observe?: (batch: { readonly size: number; readonly seconds: number }) => void;
}

interface Waiting extends CommandUnit {
  readonly deadlineMs: number;
  readonly resolve: (outcomes: readonly CommitOutcome[]) => void;
  readonly reject: (error: ServiceError) => void;
}

const RETRY_AFTER_MS = 200;

/**
 * While one transaction commits, arriving commands wait and go together into the next one. A lone
 * command never waits: the batch is whatever is there when a lane is free.
 */
export function createGroupCommit(deps: GroupCommitDeps): GroupCommit {
  const { clock } = deps;
  let queue: Waiting[] = [];
  let waitingCommands = 0;
  let busyLanes = 0;
  let scheduled = false;
  let draining = false;
  const drained = Promise.withResolvers<void>();

  /** Begins when this turn of the event loop has read all requests that have arrived. */
  function schedule(): void {
    if (scheduled || busyLanes >= deps.lanes || queue.length === 0) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      while (busyLanes < deps.lanes && queue.length > 0) void runLane();
    });
  }

  /**
   * Runs one batch. If others wait when it's done, PostgreSQL gets the next one first, and has work
   * while the answers of this one are written.
   */
  async function runLane(): Promise<void> {
    busyLanes++;
    const batch = takeBatch();
    const settled: [Waiting, readonly CommitOutcome[]][] = [];
    if (batch.length > 0) {
      const startMs = clock.monotonicMs();
      await runBatch(deps.commit, batch, (unit, outcomes) => settled.push([unit, outcomes]));
      const size = batch.reduce((sum, unit) => sum + unit.commands.length, 0);
      deps.observe?.({ size, seconds: (clock.monotonicMs() - startMs) / 1000 });
    }
    const answer = () => {
      for (const [unit, outcomes] of settled) settle(unit, outcomes);
      busyLanes--;
      resolveIfDrained();
      schedule();
    };
    if (queue.length === 0) return answer();
    void runLane();
    setImmediate(answer);
  }

  function resolveIfDrained(): void {
    if (draining && queue.length === 0 && busyLanes === 0) drained.resolve();
  }

  /** Whole units up to the size of a batch, at least one. Those whose time is up never begin. */
  function takeBatch(): Waiting[] {
    const nowMs = clock.monotonicMs();
    const batch: Waiting[] = [];
    let size = 0;
    let taken = 0;
    for (const waiting of queue) {
      if (size > 0 && size + waiting.commands.length > deps.maxBatch) break;
      taken++;
      waitingCommands -= waiting.commands.length;
      if (waiting.deadlineMs <= nowMs) {
        waiting.reject(new ServiceError("DEADLINE_EXCEEDED"));
        continue;
      }
      batch.push(waiting);
      size += waiting.commands.length;
    }
    queue = queue.slice(taken);
    return batch;
  }

  function push(waiting: Waiting): void {
    queue.push(waiting);
    waitingCommands += waiting.commands.length;
  }

  function settle(waiting: Waiting, outcomes: readonly CommitOutcome[]): void {
    if (outcomes.some((outcome) => outcome.kind === "again")) push(waiting);
    else waiting.resolve(outcomes);
  }

  function enqueue(unit: CommandUnit, deadlineMs: number): Promise<readonly CommitOutcome[]> {
    if (draining) return Promise.reject(unavailable());
    if (waitingCommands + unit.commands.length > deps.maxQueue) {
      return Promise.reject(new ServiceError("OVERLOADED", { retryAfterMs: RETRY_AFTER_MS }));
    }
    return new Promise((resolve, reject) => {
      push({ ...unit, deadlineMs, resolve, reject });
      schedule();
    });
  }

  return {
    async submit(command, deadlineMs) {
      const [outcome] = await enqueue({ commands: [command], atomic: false }, deadlineMs);
      if (outcome?.kind === "stored") return outcome;
      throw outcome?.kind === "refused" ? outcome.error : unavailable();
    },
    async submitAtomic(commands, deadlineMs) {
      return [...(await enqueue({ commands, atomic: true }, deadlineMs))];
    },
    drain() {
      draining = true;
      resolveIfDrained();
      return drained.promise;
    },
    get waiting() {
      return waitingCommands;
    },
  };
}

function unavailable(): ServiceError {
  return new ServiceError("UNAVAILABLE", { retryAfterMs: RETRY_AFTER_MS });
}
