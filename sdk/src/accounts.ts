import type { Client } from "@connectrpc/connect";
import {
  type AccountService,
  AccountStatus as WireStatus,
  CreateAccountRequestSchema,
  ListAccountsRequestSchema,
  ListEntriesRequestSchema,
  OverdraftMode as WireOverdraftMode,
  UpdateAccountRequestSchema,
  WatchAccountRequestSchema,
} from "../../gen/instantpayment/v1/account_service_pb.ts";
import type { Account, Balance, Entry, StatementPage } from "./account.ts";
import type { AccountUpdate } from "./account.ts";
import { accountFromWire, balanceFromWire, entryFromWire, updateFromWire } from "./account.ts";
import type { Follow, WatchOptions } from "./follow.ts";
import { randomId } from "./ids.ts";
import { fromMinorUnits, positiveMinorUnits } from "./money.ts";
import { createPaged, type Page, type Paged, type PageOptions } from "./paging.ts";
import type { CallOptions, MakeCall } from "./retry.ts";
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

/** Which accounts to list; what isn't given doesn't filter. */
export interface AccountFilter extends PageOptions, CallOptions {
  readonly ownerId?: string;
  readonly status?: NameIn<typeof WireStatus>;
}

/** Which entries to list: after a sequence, or of a time. */
export interface EntryFilter extends PageOptions, CallOptions {
  /** Only entries above this sequence. Not together with the times. */
  readonly afterSequence?: number;
  /** Only entries booked at this moment or later. */
  readonly startTime?: Date;
  /** Only entries booked before this moment. */
  readonly endTime?: Date;
}

/** What getBalance takes. */
export interface BalanceOptions extends CallOptions {
  /** The past moment to ask about; now if absent. */
  readonly readTime?: Date;
}

/** The methods for accounts. */
export interface AccountMethods {
  /** Opens an account, once however often the client has to ask. Throws ACCOUNT_ID_TAKEN. */
  createAccount(account: NewAccount, options?: CallOptions): Promise<Account>;
  /** Returns an account. Throws ACCOUNT_NOT_FOUND. */
  getAccount(accountId: string, options?: CallOptions): Promise<Account>;
  /** Lists accounts, the oldest first, and fetches further pages while it's read. */
  listAccounts(filter?: AccountFilter): Paged<Account>;
  /**
   * Changes what is given. Throws ACCOUNT_VERSION_MISMATCH and ACCOUNT_STATE_FORBIDS. A mismatch
   * with `outcomeUnknown` may be this call's own change, whose answer was lost: read the account.
   */
  updateAccount(accountId: string, change: AccountChange, options?: CallOptions): Promise<Account>;
  /** Returns the balance, now or as it was at `readTime`. Throws ACCOUNT_NOT_FOUND. */
  getBalance(accountId: string, options?: BalanceOptions): Promise<Balance>;
  /** Lists an account's entries, the oldest first: the statement. Reads the account once before. */
  listEntries(accountId: string, filter?: EntryFilter): Paged<Entry, StatementPage>;
  /**
   * Tells the account's balance and then each change of it, every entry once and in order, over
   * broken connections and other instances. Doesn't end by itself: leave the loop. Each iteration
   * starts anew. Throws ACCOUNT_NOT_FOUND, and UNAVAILABLE after `timeoutMs` out of reach.
   */
  watchAccount(accountId: string, options?: WatchOptions): AsyncIterable<AccountUpdate>;
}

/** Makes the methods for accounts on top of the generated client. */
export function createAccountMethods(deps: {
  readonly rpc: Client<typeof AccountService>;
  readonly makeCall: MakeCall;
  readonly follow: Follow;
}): AccountMethods {
  const { rpc, makeCall, follow } = deps;
  const read = { writes: false };

  async function getAccount(accountId: string, options: CallOptions = {}): Promise<Account> {
    const answer = await makeCall(read, options, (attempt) =>
      rpc.getAccount({ accountId }, attempt),
    );
    return accountFromWire(answer.account!);
  }

  return {
    getAccount,

    async createAccount(account, options = {}) {
      const request = createAccountRequest(account);
      const { accountId } = request;
      const answer = await makeCall({ writes: true, accountId }, options, (attempt) =>
        rpc.createAccount(request, attempt),
      );
      return accountFromWire(answer.account!);
    },

    listAccounts(filter = {}) {
      const { ownerId, pageSize } = filter;
      const status = numberOf(WireStatus, filter.status, "status");
      const request = requestOf(ListAccountsRequestSchema, { ownerId, status, pageSize });
      return createPaged<Account, Page<Account>>(filter.pageToken, async (pageToken) => {
        const { accounts, nextPageToken } = await makeCall(read, filter, (attempt) =>
          rpc.listAccounts({ ...request, pageToken }, attempt),
        );
        return { items: accounts.map((account) => accountFromWire(account)), nextPageToken };
      });
    },

    async updateAccount(accountId, change, options = {}) {
      // Only the account knows what its limit's decimals mean.
      const { overdraftLimit } = change;
      const currencyCode =
        overdraftLimit === undefined ? "" : (await getAccount(accountId, options)).currencyCode;
      const request = updateAccountRequest(accountId, change, currencyCode);
      const answer = await makeCall({ writes: true, accountId }, options, (attempt) =>
        rpc.updateAccount(request, attempt),
      );
      return accountFromWire(answer.account!);
    },

    async getBalance(accountId, options = {}) {
      const readTime = timestampOf(options.readTime, "readTime");
      const answer = await makeCall(read, options, (attempt) =>
        rpc.getBalance({ accountId, readTime }, attempt),
      );
      return balanceFromWire(answer.balance!);
    },

    listEntries(accountId, filter = {}) {
      const request = listEntriesRequest(accountId, filter);
      let currencyCode: string | undefined;
      return createPaged<Entry, StatementPage>(filter.pageToken, async (pageToken) => {
        const currency = (currencyCode ??= (await getAccount(accountId, filter)).currencyCode);
        const answer = await makeCall(read, filter, (attempt) =>
          rpc.listEntries({ ...request, pageToken }, attempt),
        );
        return {
          items: answer.entries.map((entry) => entryFromWire(entry, currency)),
          nextPageToken: answer.nextPageToken,
          openingBalance: fromMinorUnits(answer.openingBalanceMinor, currency),
          closingBalance: fromMinorUnits(answer.closingBalanceMinor, currency),
        };
      });
    },

    watchAccount(accountId, options = {}) {
      const afterSequence = bigintOf(options.afterSequence, "afterSequence");
      const first = requestOf(WatchAccountRequestSchema, { accountId, afterSequence });
      return follow(() => {
        let after = first.afterSequence;
        let version = 0n;
        return {
          open: (attempt) => rpc.watchAccount({ ...first, afterSequence: after }, attempt),
          take({ entry, balance }) {
            if (balance === undefined) return undefined;
            const isNew = entry ? entry.sequence > (after ?? -1n) : balance.version > version;
            if (!isNew) return undefined;
            after = entry?.sequence ?? after ?? balance.entrySequence;
            ({ version } = balance);
            return updateFromWire(entry, balance);
          },
          ends: false,
        };
      }, options);
    },
  };
}

function createAccountRequest(account: NewAccount) {
  const { accountId = randomId(), ownerId, currencyCode, overdraftLimit, metadata } = account;
  return requestOf(CreateAccountRequestSchema, {
    accountId,
    ownerId,
    currencyCode,
    overdraftMode: numberOf(WireOverdraftMode, account.overdraftMode, "overdraftMode"),
    overdraftLimitMinor: limitMinor(overdraftLimit, currencyCode),
    metadata,
  });
}

function limitMinor(limit: string | undefined, currencyCode: string): bigint | undefined {
  if (limit === undefined) return undefined;
  return positiveMinorUnits(limit, currencyCode, {
    value: "overdraftLimit",
    currencyCode: "currencyCode",
  });
}

function updateAccountRequest(accountId: string, change: AccountChange, currencyCode: string) {
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

function listEntriesRequest(accountId: string, filter: EntryFilter) {
  return requestOf(ListEntriesRequestSchema, {
    accountId,
    afterSequence: bigintOf(filter.afterSequence, "afterSequence"),
    startTime: timestampOf(filter.startTime, "startTime"),
    endTime: timestampOf(filter.endTime, "endTime"),
    pageSize: filter.pageSize,
  });
}
