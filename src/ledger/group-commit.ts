import type { Clock } from "../kernel/clock.ts";
import { ServiceError } from "../kernel/errors.ts";
import type { PaymentRow } from "../payments/payment.entity.ts";
import type { PaymentCommand } from "../payments/payment-command.ts";
import type { CommitBatch, CommitOutcome } from "./commit-batch.ts";
import { runBatch } from "./run-batch.ts";

/** The payment that a command made, or had made before. */
export interface Committed {
  readonly payment: PaymentRow;
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

interface Waiting {
  readonly command: PaymentCommand;
  readonly deadlineMs: number;
  readonly resolve: (committed: Committed) => void;
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
  let busyLanes = 0;
  let scheduled = false;
  let draining = false;
  let onDrained: (() => void) | undefined;

  /** Begins when this turn of the event loop has read all requests that have arrived. */
  function schedule(): void {
    if (scheduled || busyLanes >= deps.lanes || queue.length === 0) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      while (busyLanes < deps.lanes && queue.length > 0) void runLane();
    });
  }

  async function runLane(): Promise<void> {
    busyLanes++;
    const batch = takeBatch();
    if (batch.length > 0) {
      const startMs = clock.monotonicMs();
      await runBatch(deps.commit, batch, settle);
      deps.observe?.({ size: batch.length, seconds: (clock.monotonicMs() - startMs) / 1000 });
    }
    busyLanes--;
    if (draining && queue.length === 0 && busyLanes === 0) onDrained?.();
    schedule();
  }

  function takeBatch(): Waiting[] {
    const taken = queue.slice(0, deps.maxBatch);
    queue = queue.slice(deps.maxBatch);
    const nowMs = clock.monotonicMs();
    return taken.filter((waiting) => {
      if (waiting.deadlineMs > nowMs) return true;
      waiting.reject(new ServiceError("DEADLINE_EXCEEDED"));
      return false;
    });
  }

  function settle(waiting: Waiting, outcome: CommitOutcome): void {
    if (outcome.kind === "stored") waiting.resolve(outcome);
    else if (outcome.kind === "refused") waiting.reject(outcome.error);
    else queue.push(waiting);
  }

  return {
    submit(command, deadlineMs) {
      if (draining) return Promise.reject(unavailable());
      if (queue.length >= deps.maxQueue) {
        return Promise.reject(new ServiceError("OVERLOADED", { retryAfterMs: RETRY_AFTER_MS }));
      }
      return new Promise((resolve, reject) => {
        queue.push({ command, deadlineMs, resolve, reject });
        schedule();
      });
    },
    drain() {
      draining = true;
      if (queue.length === 0 && busyLanes === 0) return Promise.resolve();
      return new Promise((resolve) => {
        onDrained = resolve;
      });
    },
    get waiting() {
      return queue.length;
    },
  };
}

function unavailable(): ServiceError {
  return new ServiceError("UNAVAILABLE", { retryAfterMs: RETRY_AFTER_MS });
}
