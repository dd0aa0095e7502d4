import { defineEntity, p, type InferEntity } from "@mikro-orm/core";
import type { AccountStatus, OverdraftMode } from "./account.ts";

/** A holder of money in one currency; its balance columns change only in `ledger/`. */
export const AccountEntity = defineEntity({
  name: "Account",
  tableName: "account",
  properties: {
    id: p.uuid().primary(),
    ownerId: p.text(),
    currencyCode: p.text(),
    postedMinor: p.bigint(),
    heldMinor: p.bigint(),
    overdraftMode: p.text().$type<OverdraftMode>(),
    overdraftLimitMinor: p.bigint(),
    status: p.text().$type<AccountStatus>(),
    /** The optimistic lock: one more for every change; every UPDATE compares it. */
    version: p.bigint("number").version(),
    /** The sequence of the latest entry, 0 before the first. */
    entrySequence: p.bigint("number"),
    metadata: p.json<Record<string, string>>(),
    createTime: p.datetime(3),
    updateTime: p.datetime(3),
  },
  indexes: [{ name: "account_owner_index", properties: ["ownerId", "id"] }],
});

/** A row of `account`. */
export type AccountRow = InferEntity<typeof AccountEntity>;
