import type { MikroORM } from "@mikro-orm/postgresql";
import { AccountEntity } from "../accounts/account.entity.ts";
import type { Call } from "../kernel/call.ts";
import type { DatabaseClock } from "../kernel/clock.ts";
import { isCurrency } from "../kernel/currency.ts";
import { invalidField } from "../kernel/errors.ts";
import { decidePayment } from "../ledger/decide-payment.ts";
import type { Committed, GroupCommit } from "../ledger/group-commit.ts";
import { startPosting } from "../ledger/posting.ts";
import {
  askedOfCreate,
  keyedCommand,
  type CreateCommand,
  type PaymentRequest,
} from "./payment-command.ts";
import { seenBy } from "./payment.ts";

/** What moving money needs. */
export interface CreatePaymentDeps {
  readonly orm: MikroORM;
  readonly ledger: GroupCommit;
  readonly databaseClock: DatabaseClock;
}

/** A request to move money under a key. */
export interface CreatePayment {
  readonly idempotencyKey: string;
  readonly request: PaymentRequest;
  /** Decide and write nothing. */
  readonly validateOnly: boolean;
}

/** Moves money: the payment, and whether it had been made before. */
export type CreatePaymentUseCase = (call: Call, create: CreatePayment) => Promise<Committed>;

/**
 * Moves money from one account to another.
 *
 * 1. Check what needs no database. A crash leaves nothing.
 * 2. Give the payment its id, kept in every attempt to store it.
 * 3. Hand it to the ledger, whose one transaction decides, writes and takes the key. A crash before
 *    its COMMIT leaves nothing; after it, the key finds the payment.
 *
 * Throws INVALID_FIELD, ACCOUNT_NOT_FOUND (debtor), EXPIRE_TIME_PASSED, IDEMPOTENCY_KEY_REUSED and
 * what `GroupCommit.submit` throws. A decline is a payment with a reason.
 */
export function createCreatePayment(deps: CreatePaymentDeps): CreatePaymentUseCase {
  return async (call, create) => {
    const command = prepareCommand(call, create, deps.databaseClock.now());
    if (create.validateOnly) return dryRun(deps, command);
    return deps.ledger.submit(command, call.deadlineMs);
  };
}

function checkRequest(request: PaymentRequest): void {
  if (request.debtorAccountId === request.creditorAccountId) {
    throw invalidField("creditor_account_id", "must be another account than the debtor's");
  }
  if (!isCurrency(request.currencyCode)) {
    throw invalidField("amount.currency_code", "must be an ISO 4217 code of money in use");
  }
  const policy = request.retryPolicy;
  if (policy && policy.maxBackoffMs < policy.initialBackoffMs) {
    throw invalidField("retry_policy.max_backoff", "must not be below initial_backoff");
  }
}

/** The command for a request, with a new payment id. Throws INVALID_FIELD. */
export function prepareCommand(call: Call, create: CreatePayment, nowMs: number): CreateCommand {
  checkRequest(create.request);
  const { idempotencyKey, request } = create;
  const asked = askedOfCreate(request);
  return {
    kind: "create",
    ...keyedCommand(call, { idempotencyKey, asked, nowMs }),
    request,
  };
}

/** The same decision on a read of the accounts, with nothing locked and nothing written. */
async function dryRun(deps: CreatePaymentDeps, command: CreateCommand): Promise<Committed> {
  const { debtorAccountId, creditorAccountId } = command.request;
  const accounts = await deps.orm.em
    .fork()
    .find(AccountEntity, { id: { $in: [debtorAccountId, creditorAccountId] } });
  const now = new Date(deps.databaseClock.now());
  const payment = decidePayment(startPosting(accounts), command, now);
  const ownerById = new Map(accounts.map((account) => [account.id, account.ownerId]));
  const seen = seenBy(command, { ...payment, id: "" }, (id) => ownerById.get(id));
  return { ...seen, replayed: false };
}
