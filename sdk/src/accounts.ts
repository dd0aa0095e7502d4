import type { Client } from "@connectrpc/connect";
import {
  type AccountService,
  WatchAccountRequestSchema,
} from "../../gen/instantpayment/v1/account_service_pb.ts";
import type { Account, Balance, Entry, StatementPage } from "./account.ts";
import type { AccountUpdate } from "./account.ts";
import { accountFromWire, balanceFromWire, entryFromWire, updateFromWire } from "./account.ts";
import {
  ACCOUNT_CHANGE,
  type AccountChange,
  type AccountFilter,
  BALANCE_OPTIONS,
  type BalanceOptions,
  createAccountRequest,
  type EntryFilter,
  listAccountsRequest,
  listEntriesRequest,
  type NewAccount,
  updateAccountRequest,
} from "./account-request.ts";
import type { Follow, WatchOptions } from "./follow.ts";
import { onlyKnown } from "./members.ts";
import { fromMinorUnits } from "./money.ts";
import { createPaged, type Page, type Paged } from "./paging.ts";
import type { CallOptions, MakeCall } from "./retry.ts";
import { bigintOf, requestOf, timestampOf } from "./wire.ts";

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
      const request = listAccountsRequest(filter);
      return createPaged<Account, Page<Account>>(filter, async (pageToken, options) => {
        const { accounts, nextPageToken } = await makeCall(read, options, (attempt) =>
          rpc.listAccounts({ ...request, pageToken }, attempt),
        );
        return { items: accounts.map((account) => accountFromWire(account)), nextPageToken };
      });
    },

    async updateAccount(accountId, change, options = {}) {
      const { overdraftLimit } = onlyKnown(change, ACCOUNT_CHANGE, "change");
      // Only the account knows what its limit's decimals mean.
      const currencyCode =
        overdraftLimit === undefined ? "" : (await getAccount(accountId, options)).currencyCode;
      const request = updateAccountRequest(accountId, change, currencyCode);
      const answer = await makeCall({ writes: true, accountId }, options, (attempt) =>
        rpc.updateAccount(request, attempt),
      );
      return accountFromWire(answer.account!);
    },

    async getBalance(accountId, given = {}) {
      const { readTime: moment, ...options } = onlyKnown(given, BALANCE_OPTIONS, "options");
      const readTime = timestampOf(moment, "readTime");
      const answer = await makeCall(read, options, (attempt) =>
        rpc.getBalance({ accountId, readTime }, attempt),
      );
      return balanceFromWire(answer.balance!);
    },

    listEntries(accountId, filter = {}) {
      const request = listEntriesRequest(accountId, filter);
      let currencyCode: string | undefined;
      return createPaged<Entry, StatementPage>(filter, async (pageToken, options) => {
        const currency = (currencyCode ??= (await getAccount(accountId, options)).currencyCode);
        const answer = await makeCall(read, options, (attempt) =>
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
