import type { AccountState } from "../accounts/account.ts";
import type { PaymentStatus } from "../kernel/payment-states.ts";
import type { PaymentRow } from "../payments/payment.entity.ts";
import type { EntryRow } from "./entry.entity.ts";

/** What an event tells: that the payment has its status now, or what happened within it. */
export type ChangeType = PaymentStatus | "CAPTURED" | "ATTEMPTED" | "REFUNDED" | "RETRIED";

/** A visible change of a payment, which becomes one event. */
export interface PaymentChange {
  readonly type: ChangeType;
  /** The payment right after the change. */
  readonly payment: PaymentRow;
  /** Its status before; null: it's new. */
  readonly previousStatus: PaymentStatus | null;
  readonly occurTime: Date;
  /** 0 if the change booked nothing. */
  readonly debtorEntrySequence: number;
  readonly creditorEntrySequence: number;
  /** Of the call that made it (W3C Trace Context); null if nobody's did. */
  readonly traceparent: string | null;
}

/** What a batch decides on and what came of it, in memory until it's written. */
export interface Posting {
  /** The locked accounts, as the decisions so far leave them. */
  readonly accounts: Map<string, AccountState>;
  /** The ids of accounts that have to be written. */
  readonly touched: Set<string>;
  /** The locked payments, as the decisions so far leave them. */
  readonly existing: Map<string, PaymentRow>;
  /** The sequences with which payments that have to be written anew were read, by their ids. */
  readonly readSequences: Map<string, number>;
  /** The new payments. */
  readonly payments: PaymentRow[];
  readonly entries: EntryRow[];
  readonly changes: PaymentChange[];
  /** Of the command that is being decided; its changes carry it. */
  traceparent: string | null;
}

/** Starts from the accounts and payments as they were locked. */
export function startPosting(
  accounts: Iterable<AccountState>,
  payments: Iterable<PaymentRow> = [],
): Posting {
  return {
    accounts: new Map([...accounts].map((account) => [account.id, account])),
    touched: new Set(),
    existing: new Map([...payments].map((payment) => [payment.id, payment])),
    readSequences: new Map(),
    payments: [],
    entries: [],
    changes: [],
    traceparent: null,
  };
}

/** A posting of its own on what this one has decided so far; `adopt` makes it count. */
export function branch(posting: Posting): Posting {
  return startPosting(posting.accounts.values());
}

/** Takes over everything that a branch has decided; it makes payments and changes none. */
export function adopt(posting: Posting, decided: Posting): void {
  for (const id of decided.touched) {
    posting.accounts.set(id, decided.accounts.get(id)!);
    posting.touched.add(id);
  }
  posting.payments.push(...decided.payments);
  posting.entries.push(...decided.entries);
  posting.changes.push(...decided.changes);
}

/** The numbers of the two entries of a booking. */
export interface Booked {
  readonly debtor: AccountState;
  readonly creditor: AccountState;
}

/**
 * Books an amount of a payment on both accounts, which the rules have let through. `releaseMinor`
 * of what is held on the debtor's goes with it.
 */
export function bookPayment(
  posting: Posting,
  payment: Pick<PaymentRow, "id" | "debtorAccountId" | "creditorAccountId">,
  { amountMinor, releaseMinor, time }: { amountMinor: bigint; releaseMinor: bigint; time: Date },
): Booked {
  const { id, debtorAccountId, creditorAccountId } = payment;
  if (releaseMinor > 0n) holdFunds(posting, debtorAccountId, -releaseMinor, time);
  return {
    debtor: book(posting, debtorAccountId, creditorAccountId, -amountMinor, id, time),
    creditor: book(posting, creditorAccountId, debtorAccountId, amountMinor, id, time),
  };
}

/** Adds one entry to an account and moves its balance with it. */
function book(
  posting: Posting,
  accountId: string,
  counterpartyAccountId: string,
  amountMinor: bigint,
  paymentId: string,
  time: Date,
): AccountState {
  const account = posting.accounts.get(accountId)!;
  const after: AccountState = {
    ...account,
    postedMinor: account.postedMinor + amountMinor,
    entrySequence: account.entrySequence + 1,
    updateTime: time,
  };
  posting.accounts.set(accountId, after);
  posting.touched.add(accountId);
  posting.entries.push({
    accountId,
    createTime: time,
    entrySequence: after.entrySequence,
    paymentId,
    counterpartyAccountId,
    amountMinor,
    balanceAfterMinor: after.postedMinor,
  });
  return after;
}

/** Holds more of an account's funds, or less if the amount is negative. */
export function holdFunds(
  posting: Posting,
  accountId: string,
  amountMinor: bigint,
  time: Date,
): void {
  const account = posting.accounts.get(accountId)!;
  const heldMinor = account.heldMinor + amountMinor;
  posting.accounts.set(accountId, { ...account, heldMinor, updateTime: time });
  posting.touched.add(accountId);
}

/** Notes a new payment with its first event. */
export function noteNew(
  posting: Posting,
  payment: PaymentRow,
  occurTime: Date,
  booked?: Booked,
): PaymentRow {
  posting.payments.push(payment);
  noteChange(posting, { type: payment.status, payment, previousStatus: null, occurTime }, booked);
  return payment;
}

/** Notes what became of a payment that was there, under its next sequence, with its event. */
export function noteUpdate(
  posting: Posting,
  before: PaymentRow,
  change: Partial<PaymentRow>,
  { type, time, booked }: { type: ChangeType; time: Date; booked?: Booked | undefined },
): PaymentRow {
  const updateTime = latest(time, before.updateTime);
  const payment = { ...before, ...change, sequence: before.sequence + 1, updateTime };
  posting.existing.set(payment.id, payment);
  if (!posting.readSequences.has(payment.id)) {
    posting.readSequences.set(payment.id, before.sequence);
  }
  const { status: previousStatus } = before;
  noteChange(posting, { type, payment, previousStatus, occurTime: time }, booked);
  return payment;
}

function noteChange(
  posting: Posting,
  change: Omit<PaymentChange, "debtorEntrySequence" | "creditorEntrySequence" | "traceparent">,
  booked: Booked | undefined,
): void {
  posting.changes.push({
    ...change,
    debtorEntrySequence: booked?.debtor.entrySequence ?? 0,
    creditorEntrySequence: booked?.creditor.entrySequence ?? 0,
    traceparent: posting.traceparent,
  });
}

/** The latest of some moments. */
export function latest(...times: Date[]): Date {
  return times.reduce((a, b) => (b > a ? b : a));
}
