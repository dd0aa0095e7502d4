import type { AccountState } from "../accounts/account.ts";
import { ServiceError } from "../kernel/errors.ts";
import { findDecline, type Decline } from "../payments/payment.ts";
import type { PaymentRow } from "../payments/payment.entity.ts";
import type { PaymentCommand } from "../payments/payment-command.ts";
import type { EntryRow } from "./entry.entity.ts";

/** A visible change of a payment, which becomes one event. */
export interface PaymentChange {
  /** The payment right after the change. */
  readonly payment: PaymentRow;
  readonly occurTime: Date;
  /** 0 if the change booked nothing. */
  readonly debtorEntrySequence: number;
  readonly creditorEntrySequence: number;
}

/** What a batch decides on and what came of it, in memory until it's written. */
export interface Posting {
  /** The locked accounts, as the decisions so far leave them. */
  readonly accounts: Map<string, AccountState>;
  /** The ids of accounts that have to be written. */
  readonly touched: Set<string>;
  readonly payments: PaymentRow[];
  readonly entries: EntryRow[];
  readonly changes: PaymentChange[];
}

/** Starts from the accounts as they were locked. */
export function startPosting(accounts: Iterable<AccountState>): Posting {
  return {
    accounts: new Map([...accounts].map((account) => [account.id, account])),
    touched: new Set(),
    payments: [],
    entries: [],
    changes: [],
  };
}

/** A posting of its own on what this one has decided so far; `adopt` makes it count. */
export function branch(posting: Posting): Posting {
  return startPosting(posting.accounts.values());
}

/** Takes over everything that a branch has decided. */
export function adopt(posting: Posting, decided: Posting): void {
  for (const id of decided.touched) {
    posting.accounts.set(id, decided.accounts.get(id)!);
    posting.touched.add(id);
  }
  posting.payments.push(...decided.payments);
  posting.entries.push(...decided.entries);
  posting.changes.push(...decided.changes);
}

/**
 * Decides one new payment after all before it and notes what to write. Returns the payment,
 * settled or rejected; throws a ServiceError, with nothing noted, if the call is refused.
 */
export function decidePayment(posting: Posting, command: PaymentCommand, now: Date): PaymentRow {
  const { request } = command;
  if (request.expireTime && request.expireTime <= now) throw new ServiceError("EXPIRE_TIME_PASSED");
  const debtor = posting.accounts.get(request.debtorAccountId);
  if (!debtor || (debtor.ownerId !== command.ownerId && !command.isAdmin)) {
    throw debtorNotFound();
  }
  const creditor = posting.accounts.get(request.creditorAccountId);
  const declined = findDecline(debtor, creditor, request.currencyCode, request.amountMinor);
  if (declined || !creditor) {
    return noteChange(posting, newPayment(command, now, declined), now, 0, 0);
  }
  const time = latest(now, debtor.updateTime, creditor.updateTime);
  const debtorAfter = book(posting, debtor, creditor.id, -request.amountMinor, command, time);
  const creditorAfter = book(posting, creditor, debtor.id, request.amountMinor, command, time);
  const payment = {
    ...newPayment(command, time, undefined),
    debtorBalanceAfterMinor: debtorAfter.postedMinor,
    creditorBalanceAfterMinor: creditorAfter.postedMinor,
  };
  return noteChange(posting, payment, time, debtorAfter.entrySequence, creditorAfter.entrySequence);
}

/** The refusal to pay from an account that isn't there or isn't the caller's. */
export function debtorNotFound(): ServiceError {
  return new ServiceError("ACCOUNT_NOT_FOUND", { metadata: { field: "debtor_account_id" } });
}

/** Adds one entry to an account and moves its balance with it. */
function book(
  posting: Posting,
  account: AccountState,
  counterpartyAccountId: string,
  amountMinor: bigint,
  command: PaymentCommand,
  time: Date,
): AccountState {
  const after: AccountState = {
    ...account,
    postedMinor: account.postedMinor + amountMinor,
    entrySequence: account.entrySequence + 1,
    updateTime: time,
  };
  posting.accounts.set(account.id, after);
  posting.touched.add(account.id);
  posting.entries.push({
    accountId: account.id,
    createTime: time,
    entrySequence: after.entrySequence,
    paymentId: command.paymentId,
    counterpartyAccountId,
    amountMinor,
    balanceAfterMinor: after.postedMinor,
  });
  return after;
}

function newPayment(
  command: PaymentCommand,
  time: Date,
  declined: Decline | undefined,
): PaymentRow {
  return {
    id: command.paymentId,
    createTime: command.createTime,
    ownerId: command.ownerId,
    idempotencyKey: command.idempotencyKey,
    ...command.request,
    status: declined ? "REJECTED" : "SETTLED",
    reason: declined?.reason ?? null,
    reasonDetail: declined?.detail ?? null,
    sequence: 1,
    debtorBalanceAfterMinor: null,
    creditorBalanceAfterMinor: null,
    updateTime: latest(time, command.createTime),
  };
}

function noteChange(
  posting: Posting,
  payment: PaymentRow,
  occurTime: Date,
  debtorEntrySequence: number,
  creditorEntrySequence: number,
): PaymentRow {
  posting.payments.push(payment);
  posting.changes.push({ payment, occurTime, debtorEntrySequence, creditorEntrySequence });
  return payment;
}

function latest(...times: Date[]): Date {
  return times.reduce((a, b) => (b > a ? b : a));
}
