import type {
  Account as WireAccount,
  Balance as WireBalance,
  Entry as WireEntry,
} from "../../gen/instantpayment/v1/account_service_pb.ts";
import {
  AccountStatus as WireStatus,
  OverdraftMode as WireOverdraftMode,
} from "../../gen/instantpayment/v1/account_service_pb.ts";
import { fromMinorUnits, type Money } from "./money.ts";
import type { Page } from "./paging.ts";
import { countOf, dateOf, nameOf, type NameOut } from "./wire.ts";

/** Whether an account takes part in payments. */
export type AccountStatus = NameOut<typeof WireStatus>;

/** How far an account may go below zero. */
export type OverdraftMode = NameOut<typeof WireOverdraftMode>;

/** A holder of money. Its amounts are decimals in its currency, `"12.50"`. Plain data. */
export interface Account {
  readonly id: string;
  readonly ownerId: string;
  /** The currency's code of ISO 4217. It never changes. */
  readonly currencyCode: string;
  /** What is booked. */
  readonly posted: string;
  /** What is reserved for payments that aren't booked yet. */
  readonly held: string;
  /** What it can pay: posted - held + overdraft limit. */
  readonly available: string;
  readonly overdraftMode: OverdraftMode;
  /** How far below zero it may go with overdraft mode LIMITED, otherwise zero. */
  readonly overdraftLimit: string;
  readonly status: AccountStatus;
  /** Counts the account's changes, bookings included. */
  readonly version: number;
  /** The sequence of its latest entry, 0 before the first. */
  readonly entrySequence: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly createTime: Date;
  readonly updateTime: Date;
}

/** An account's balance at a moment, as decimals in its currency. */
export interface Balance {
  readonly accountId: string;
  readonly currencyCode: string;
  readonly posted: string;
  /** For a past moment zero: only bookings have a history. */
  readonly held: string;
  /** What the account can pay, with the overdraft as it is now. */
  readonly available: string;
  /** The account's version; 0 for a past moment. */
  readonly version: number;
  /** The sequence of the last entry in this balance, 0 if there is none. */
  readonly entrySequence: number;
  readonly asOfTime: Date;
}

/** One leg of a booked payment. */
export interface Entry {
  /** Its number on the account: 1, 2, 3 ... without a gap. */
  readonly sequence: number;
  readonly paymentId: string;
  /** What it added to the account; negative on the debtor's: `"-12.50"`. */
  readonly amount: Money;
  /** The account's posted balance right after it. */
  readonly balanceAfter: string;
  readonly counterpartyAccountId: string;
  readonly createTime: Date;
}

/** A change of an account, or at first what is. */
export interface AccountUpdate {
  /** What was booked; undefined if it was something else that changed. */
  readonly entry: Entry | undefined;
  /** When it was told: if its `entrySequence` is above the entry's, more are on their way. */
  readonly balance: Balance;
}

/** A page of an account's statement. */
export interface StatementPage extends Page<Entry> {
  /** The posted balance right before the page's first entry. */
  readonly openingBalance: string;
  /** The posted balance right after the page's last entry. */
  readonly closingBalance: string;
}

/** An account off the wire. Throws INVALID_FIELD if this package doesn't know the currency. */
export function accountFromWire(account: WireAccount): Account {
  const { currencyCode } = account;
  return {
    id: account.id,
    ownerId: account.ownerId,
    currencyCode,
    posted: fromMinorUnits(account.postedMinor, currencyCode),
    held: fromMinorUnits(account.heldMinor, currencyCode),
    available: fromMinorUnits(account.availableMinor, currencyCode),
    overdraftMode: nameOf(WireOverdraftMode, account.overdraftMode) ?? "NONE",
    overdraftLimit: fromMinorUnits(account.overdraftLimitMinor, currencyCode),
    status: nameOf(WireStatus, account.status) ?? "UNRECOGNIZED",
    version: countOf(account.version),
    entrySequence: countOf(account.entrySequence),
    metadata: { ...account.metadata },
    createTime: dateOf(account.createTime),
    updateTime: dateOf(account.updateTime),
  };
}

/** A balance off the wire. Throws INVALID_FIELD if this package doesn't know the currency. */
export function balanceFromWire(balance: WireBalance): Balance {
  const { currencyCode } = balance;
  return {
    accountId: balance.accountId,
    currencyCode,
    posted: fromMinorUnits(balance.postedMinor, currencyCode),
    held: fromMinorUnits(balance.heldMinor, currencyCode),
    available: fromMinorUnits(balance.availableMinor, currencyCode),
    version: countOf(balance.version),
    entrySequence: countOf(balance.entrySequence),
    asOfTime: dateOf(balance.asOfTime),
  };
}

/** An entry off the wire, in its account's currency. */
export function entryFromWire(entry: WireEntry, currencyCode: string): Entry {
  return {
    sequence: countOf(entry.sequence),
    paymentId: entry.paymentId,
    amount: { value: fromMinorUnits(entry.amountMinor, currencyCode), currencyCode },
    balanceAfter: fromMinorUnits(entry.balanceAfterMinor, currencyCode),
    counterpartyAccountId: entry.counterpartyAccountId,
    createTime: dateOf(entry.createTime),
  };
}

/** An update off the wire. Throws INVALID_FIELD if this package doesn't know the currency. */
export function updateFromWire(entry: WireEntry | undefined, balance: WireBalance): AccountUpdate {
  const { currencyCode } = balance;
  return { entry: entry && entryFromWire(entry, currencyCode), balance: balanceFromWire(balance) };
}
