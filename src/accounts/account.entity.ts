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
    postedMinor: p.bigint().default(0),
    heldMinor: p.bigint().default(0),
    overdraftMode: p.text().$type<OverdraftMode>().default("NONE"),
    overdraftLimitMinor: p.bigint().default(0),
    status: p.text().$type<AccountStatus>().default("OPEN"),
    /** The optimistic lock: one more for every change; every UPDATE compares it. */
    version: p.bigint("number").version(),
    /** The sequence of the latest entry, 0 before the first. */
    entrySequence: p.bigint("number").default(0),
    metadata: p.json<Record<string, string>>(),
    createTime: p.datetime(3),
    updateTime: p.datetime(3),
  },
  indexes: [{ name: "account_owner_index", properties: ["ownerId", "id"] }],
});

/** A row of `account`. */
export type AccountRow = InferEntity<typeof AccountEntity>;
