import { defineEntity, p, type InferEntity } from "@mikro-orm/core";

/**
 * One leg of a booked payment; append-only. Range-partitioned by month on `create_time`, which
 * never goes back on an account: the primary key finds the balance at a time and the statement,
 * the unique key (`account_id`, `entry_sequence`) of each partition an entry by its number.
 */
export const EntryEntity = defineEntity({
  name: "Entry",
  tableName: "entry",
  properties: {
    accountId: p.uuid().primary(),
    createTime: p.datetime(3).primary(),
    /** 1, 2, 3 ... on its account, without a gap. */
    entrySequence: p.bigint("number").primary(),
    paymentId: p.uuid(),
    counterpartyAccountId: p.uuid(),
    /** Signed: negative on the debtor's account. */
    amountMinor: p.bigint(),
    balanceAfterMinor: p.bigint(),
  },
});

/** A row of `entry`. */
export type EntryRow = InferEntity<typeof EntryEntity>;
