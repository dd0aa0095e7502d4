import {
  AccountStatus as WireStatus,
  CreateAccountRequestSchema,
  ListAccountsRequestSchema,
  ListEntriesRequestSchema,
  OverdraftMode as WireOverdraftMode,
  UpdateAccountRequestSchema,
} from "../../gen/instantpayment/v1/account_service_pb.ts";
import { randomId } from "./ids.ts";
import { type MembersOf, onlyKnown } from "./members.ts";
import { positiveMinorUnits } from "./money.ts";
import { PAGE_OPTIONS, type PageOptions } from "./paging.ts";
import { CALL_OPTIONS, type CallOptions } from "./retry.ts";
import { bigintOf, type NameIn, numberOf, requestOf, timestampOf } from "./wire.ts";

/** An account to open. */
export interface NewAccount {
  /** The currency's code of ISO 4217, for example `EUR`. */
  readonly currencyCode: string;
  /** A UUID; made by the client if absent and kept over its retries. */
  readonly accountId?: string | undefined;
  /** Whose account it is; the caller's own if absent. */
  readonly ownerId?: string;
  readonly overdraftMode?: NameIn<typeof WireOverdraftMode>;
  /** For overdraft mode LIMITED: how far below zero it may go, as a decimal. */
  readonly overdraftLimit?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

const NEW_ACCOUNT: MembersOf<NewAccount> = {
  currencyCode: true,
  accountId: true,
  ownerId: true,
  overdraftMode: true,
  overdraftLimit: true,
  metadata: true,
};

/** What to change of an account. What isn't given stays. */
export interface AccountChange {
  /** The version that the change is based on: another one by now is ACCOUNT_VERSION_MISMATCH. */
  readonly version?: number;
  readonly status?: NameIn<typeof WireStatus>;
  readonly overdraftMode?: NameIn<typeof WireOverdraftMode>;
  /** As a decimal in the account's currency, for overdraft mode LIMITED. */
  readonly overdraftLimit?: string;
  /** The new metadata in whole; `{}` removes all. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The members of AccountChange. */
export const ACCOUNT_CHANGE: MembersOf<AccountChange> = {
  version: true,
  status: true,
  overdraftMode: true,
  overdraftLimit: true,
  metadata: true,
};

/** Which accounts to list; what isn't given doesn't filter. */
export interface AccountFilter extends PageOptions, CallOptions {
  readonly ownerId?: string;
  readonly status?: NameIn<typeof WireStatus>;
}

const ACCOUNT_FILTER: MembersOf<AccountFilter> = { ...PAGE_OPTIONS, ownerId: true, status: true };

/** Which entries to list: after a sequence, or of a time. */
export interface EntryFilter extends PageOptions, CallOptions {
  /** Only entries above this sequence. Not together with the times. */
  readonly afterSequence?: number;
  /** Only entries booked at this moment or later. */
  readonly startTime?: Date;
  /** Only entries booked before this moment. */
  readonly endTime?: Date;
}

const ENTRY_FILTER: MembersOf<EntryFilter> = {
  ...PAGE_OPTIONS,
  afterSequence: true,
  startTime: true,
  endTime: true,
};

/** What getBalance takes. */
export interface BalanceOptions extends CallOptions {
  /** The past moment to ask about; now if absent. */
  readonly readTime?: Date;
}

/** The members of BalanceOptions. */
export const BALANCE_OPTIONS: MembersOf<BalanceOptions> = { ...CALL_OPTIONS, readTime: true };

/** The request for an account, with an id if the caller gave none. Throws INVALID_FIELD. */
export function createAccountRequest(account: NewAccount) {
  const known = onlyKnown(account, NEW_ACCOUNT, "account");
  const { accountId = randomId(), ownerId, currencyCode, overdraftLimit, metadata } = known;
  return requestOf(CreateAccountRequestSchema, {
    accountId,
    ownerId,
    currencyCode,
    overdraftMode: numberOf(WireOverdraftMode, account.overdraftMode, "overdraftMode"),
    overdraftLimitMinor: limitMinor(overdraftLimit, currencyCode),
    metadata,
  });
}

/** The request for accounts, without a token. Throws INVALID_FIELD. */
export function listAccountsRequest(filter: AccountFilter) {
  const { ownerId, status, pageSize } = onlyKnown(filter, ACCOUNT_FILTER, "filter");
  return requestOf(ListAccountsRequestSchema, {
    ownerId,
    pageSize,
    status: numberOf(WireStatus, status, "status"),
  });
}

/** The request for a change whose members are known. Throws INVALID_FIELD. */
export function updateAccountRequest(
  accountId: string,
  change: AccountChange,
  currencyCode: string,
) {
  const { version, overdraftLimit, metadata } = change;
  return requestOf(UpdateAccountRequestSchema, {
    accountId,
    version: bigintOf(version, "version"),
    status: numberOf(WireStatus, change.status, "status"),
    overdraftMode: numberOf(WireOverdraftMode, change.overdraftMode, "overdraftMode"),
    overdraftLimitMinor: limitMinor(overdraftLimit, currencyCode),
    metadata,
    clearMetadata: metadata !== undefined && Object.keys(metadata).length === 0,
  });
}

/** The request for entries, without a token. Throws INVALID_FIELD. */
export function listEntriesRequest(accountId: string, filter: EntryFilter) {
  const known = onlyKnown(filter, ENTRY_FILTER, "filter");
  const { afterSequence, startTime, endTime, pageSize } = known;
  return requestOf(ListEntriesRequestSchema, {
    accountId,
    pageSize,
    afterSequence: bigintOf(afterSequence, "afterSequence"),
    startTime: timestampOf(startTime, "startTime"),
    endTime: timestampOf(endTime, "endTime"),
  });
}

function limitMinor(limit: string | undefined, currencyCode: string): bigint | undefined {
  if (limit === undefined) return undefined;
  return positiveMinorUnits(limit, currencyCode, {
    value: "overdraftLimit",
    currencyCode: "currencyCode",
  });
}
