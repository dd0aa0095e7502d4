import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  AccountSchema,
  AccountStatus,
  BalanceSchema,
  EntrySchema,
  OverdraftMode,
  type Account,
  type Balance as BalanceMessage,
  type Entry,
} from "../../gen/instantpayment/v1/account_service_pb.ts";
import type { EntryRow } from "../ledger/entry.entity.ts";
import type { AccountRow } from "./account.entity.ts";
import { availableMinor } from "./account.ts";
import type { Balance } from "./find-account.ts";

/** The account as its owner sees it. */
export function toAccountMessage(account: AccountRow): Account {
  return create(AccountSchema, {
    id: account.id,
    ownerId: account.ownerId,
    currencyCode: account.currencyCode,
    postedMinor: account.postedMinor,
    heldMinor: account.heldMinor,
    availableMinor: availableMinor(account),
    overdraftMode: OverdraftMode[account.overdraftMode],
    overdraftLimitMinor: account.overdraftLimitMinor,
    status: AccountStatus[account.status],
    version: BigInt(account.version),
    entrySequence: BigInt(account.entrySequence),
    metadata: account.metadata,
    createTime: timestampFromDate(account.createTime),
    updateTime: timestampFromDate(account.updateTime),
  });
}

/** The balance on the wire. */
export function toBalanceMessage(balance: Balance): BalanceMessage {
  return create(BalanceSchema, {
    ...balance,
    version: BigInt(balance.version),
    entrySequence: BigInt(balance.entrySequence),
    asOfTime: timestampFromDate(balance.asOfTime),
  });
}

/** The entry on the wire. */
export function toEntryMessage(entry: EntryRow): Entry {
  return create(EntrySchema, {
    sequence: BigInt(entry.entrySequence),
    paymentId: entry.paymentId,
    amountMinor: entry.amountMinor,
    balanceAfterMinor: entry.balanceAfterMinor,
    counterpartyAccountId: entry.counterpartyAccountId,
    createTime: timestampFromDate(entry.createTime),
  });
}
