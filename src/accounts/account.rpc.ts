import { timestampDate, type Timestamp } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  AccountStatus as WireStatus,
  OverdraftMode as WireMode,
  type AccountService,
  type UpdateAccountRequest,
} from "../../gen/instantpayment/v1/account_service_pb.ts";
import type { Call } from "../kernel/call.ts";
import { toAccountMessage, toBalanceMessage, toEntryMessage } from "./account.message.ts";
import type { AccountStatus, OverdraftMode } from "./account.ts";
import type { FindAccount } from "./find-account.ts";
import type { ListEntriesUseCase } from "./list-entries.ts";
import type { OpenAccountUseCase } from "./open-account.ts";
import {
  checkMetadataChange,
  type UpdateAccount,
  type UpdateAccountUseCase,
} from "./update-account.ts";
import type { WatchAccountUseCase } from "./watch-account.ts";

/** What AccountService is made of. */
export interface AccountRpcDeps {
  /** Who calls, and until when it waits. */
  readonly callOf: (context: HandlerContext) => Call;
  readonly openAccount: OpenAccountUseCase;
  readonly updateAccount: UpdateAccountUseCase;
  readonly findAccount: FindAccount;
  readonly listEntries: ListEntriesUseCase;
  readonly watchAccount: WatchAccountUseCase;
}

/** `instantpayment.v1.AccountService` on the use cases; requests have been validated before. */
export function createAccountRpc(deps: AccountRpcDeps): ServiceImpl<typeof AccountService> {
  const { callOf, findAccount } = deps;
  return {
    async createAccount(request, context) {
      const account = await deps.openAccount(callOf(context), {
        accountId: request.accountId.toLowerCase() || undefined,
        ownerId: request.ownerId || undefined,
        currencyCode: request.currencyCode,
        overdraftMode: MODE_BY_WIRE[request.overdraftMode] ?? "NONE",
        overdraftLimitMinor: request.overdraftLimitMinor,
        metadata: request.metadata,
      });
      return { account: toAccountMessage(account) };
    },

    async getAccount(request, context) {
      const account = await findAccount.get(callOf(context), request.accountId.toLowerCase());
      return { account: toAccountMessage(account) };
    },

    async listAccounts(request, context) {
      const page = await findAccount.list(callOf(context), {
        ownerId: request.ownerId || undefined,
        status: STATUS_BY_WIRE[request.status],
        pageSize: request.pageSize,
        pageToken: request.pageToken,
      });
      return { accounts: page.accounts.map(toAccountMessage), nextPageToken: page.nextPageToken };
    },

    async updateAccount(request, context) {
      const account = await deps.updateAccount(callOf(context), toUpdateAccount(request));
      return { account: toAccountMessage(account) };
    },

    async getBalance(request, context) {
      const id = request.accountId.toLowerCase();
      const balance = await findAccount.balance(callOf(context), id, toDate(request.readTime));
      return { balance: toBalanceMessage(balance) };
    },

    async listEntries(request, context) {
      const page = await deps.listEntries(callOf(context), {
        accountId: request.accountId.toLowerCase(),
        afterSequence: Number(request.afterSequence),
        startTime: toDate(request.startTime),
        endTime: toDate(request.endTime),
        pageSize: request.pageSize,
        pageToken: request.pageToken,
      });
      return { ...page, entries: page.entries.map(toEntryMessage) };
    },

    async *watchAccount({ accountId, afterSequence }, context) {
      const request = {
        accountId: accountId.toLowerCase(),
        afterSequence: afterSequence === undefined ? undefined : Number(afterSequence),
      };
      for await (const news of deps.watchAccount(callOf(context), request, context.signal)) {
        yield news
          ? {
              entry: news.entry && toEntryMessage(news.entry),
              balance: toBalanceMessage(news.balance),
            }
          : {};
      }
    },
  };
}

const STATUS_BY_WIRE: Record<number, AccountStatus> = {
  [WireStatus.OPEN]: "OPEN",
  [WireStatus.FROZEN]: "FROZEN",
  [WireStatus.CLOSED]: "CLOSED",
};

const MODE_BY_WIRE: Record<number, OverdraftMode> = {
  [WireMode.NONE]: "NONE",
  [WireMode.LIMITED]: "LIMITED",
  [WireMode.UNBOUNDED]: "UNBOUNDED",
};

function toUpdateAccount(request: UpdateAccountRequest): UpdateAccount {
  const pairs = Object.keys(request.metadata).length;
  checkMetadataChange(pairs, request.clearMetadata);
  return {
    accountId: request.accountId.toLowerCase(),
    version: request.version === undefined ? undefined : Number(request.version),
    status: STATUS_BY_WIRE[request.status],
    overdraftMode: MODE_BY_WIRE[request.overdraftMode],
    overdraftLimitMinor: request.overdraftLimitMinor,
    metadata: pairs > 0 || request.clearMetadata ? request.metadata : undefined,
  };
}

function toDate(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp && timestampDate(timestamp);
}
