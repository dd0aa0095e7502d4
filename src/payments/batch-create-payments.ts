import type { Call } from "../kernel/call.ts";
import type { DatabaseClock } from "../kernel/clock.ts";
import { invalidField, ServiceError } from "../kernel/errors.ts";
import type { Committed, GroupCommit } from "../ledger/group-commit.ts";
import type { CreateCommand } from "./payment-command.ts";
import { prepareCommand, type CreatePayment, type CreatePaymentUseCase } from "./create-payment.ts";

/** What became of one request of a batch. */
export type BatchResult = Committed | { readonly error: ServiceError };

/** Moves money many times; a result for each request, in order. */
export type BatchCreatePaymentsUseCase = (
  call: Call,
  batch: readonly CreatePayment[],
  atomic: boolean,
) => Promise<BatchResult[]>;

/**
 * Independent requests are payments of their own that go to the ledger together. Atomic ones are
 * one unit of its transaction: either all settle or nothing is written. A crash leaves of an atomic
 * batch all or nothing, of an independent one any part; the same batch again completes it.
 *
 * A refusal of one request is its result. What concerns all of an atomic batch is thrown: as
 * `GroupCommit.submitAtomic`, and INVALID_FIELD for a repeated key,
 * `validate_only` or a `retry_policy`.
 */
export function createBatchCreatePayments(deps: {
  readonly createPayment: CreatePaymentUseCase;
  readonly ledger: GroupCommit;
  readonly databaseClock: DatabaseClock;
}): BatchCreatePaymentsUseCase {
  async function independent(call: Call, batch: readonly CreatePayment[]): Promise<BatchResult[]> {
    const nowMs = deps.databaseClock.now();
    const prepared = batch.map((create) => attempt(() => prepareCommand(call, create, nowMs)));
    const commands = prepared.filter(
      (one, i): one is CreateCommand => !("error" in one) && batch[i]?.validateOnly === false,
    );
    const submitted = deps.ledger.submitEach(commands, call.deadlineMs);
    const byCommand = new Map(commands.map((command, i) => [command, submitted[i]!]));
    const results = await Promise.allSettled(
      prepared.map(async (one, i) =>
        "error" in one ? one : (byCommand.get(one) ?? deps.createPayment(call, batch[i]!)),
      ),
    );
    return results.map((result) => {
      if (result.status === "fulfilled") return result.value;
      if (result.reason instanceof ServiceError) return { error: result.reason };
      throw result.reason;
    });
  }

  async function atomic(call: Call, batch: readonly CreatePayment[]): Promise<BatchResult[]> {
    checkAtomic(batch);
    const nowMs = deps.databaseClock.now();
    const prepared = batch.map((create) => attempt(() => prepareCommand(call, create, nowMs)));
    const commands = prepared.filter((one): one is CreateCommand => !("error" in one));
    if (commands.length < prepared.length) {
      return prepared.map((one) => ("error" in one ? one : notApplied()));
    }
    const outcomes = await deps.ledger.submitAtomic(commands, call.deadlineMs);
    return outcomes.map((outcome) => (outcome.kind === "again" ? notApplied() : outcome));
  }

  return (call, batch, isAtomic) => (isAtomic ? atomic(call, batch) : independent(call, batch));
}

function checkAtomic(batch: readonly CreatePayment[]): void {
  const keys = new Set<string>();
  batch.forEach(({ idempotencyKey, validateOnly, request }, i) => {
    const at = `requests[${i}]`;
    if (request.retryPolicy) throw invalidField(`${at}.retry_policy`, "is not for atomic batches");
    if (validateOnly) throw invalidField(`${at}.validate_only`, "is not for atomic batches");
    if (keys.has(idempotencyKey)) {
      throw invalidField(`${at}.idempotency_key`, "must be unique in an atomic batch");
    }
    keys.add(idempotencyKey);
  });
}

function attempt<T>(work: () => T): T | { readonly error: ServiceError } {
  try {
    return work();
  } catch (error) {
    if (error instanceof ServiceError) return { error };
    throw error;
  }
}

function notApplied(): BatchResult {
  return { error: new ServiceError("BATCH_NOT_APPLIED") };
}
