import { raw, type EntityManager } from "@mikro-orm/postgresql";
import type { PaymentStatus } from "../kernel/payment-states.ts";

/** The primary key of a payment. */
export interface PaymentKey {
  readonly createTime: Date;
  readonly id: string;
}

/** Which payments to find. */
export interface PaymentFilter {
  /** Only payments of this account. */
  readonly accountId: string | undefined;
  /** Only payments of this owner's accounts; undefined: everybody's. */
  readonly ownerId: string | undefined;
  readonly status: PaymentStatus | undefined;
  readonly startTime: Date | undefined;
  readonly endTime: Date | undefined;
  /** Only payments older than this one. */
  readonly before: PaymentKey | undefined;
  readonly limit: number;
}

/** `isShownToCreditor` for SQL, as a condition on a payment's column. */
export const SHOWN_TO_CREDITOR = "reason is null";

const NEWEST_FIRST = "order by create_time desc, id desc limit";

/**
 * The keys of the latest payments that match. An account's come from one index for each side, and
 * the bounds on `create_time` leave the partitions out that can't hold any. What a creditor may
 * not see (payments that failed or haven't got through yet) counts only for everybody's
 * administrator.
 */
export async function findPaymentKeys(
  em: EntityManager,
  filter: PaymentFilter,
): Promise<PaymentKey[]> {
  const { sql, params } = filter.accountId || filter.ownerId ? ofAccounts(filter) : ofAll(filter);
  const rows = await em.execute<{ create_time: Date | string; id: string }[]>(raw(sql, params));
  return rows.map((row) => ({ createTime: new Date(row.create_time), id: row.id }));
}

interface Sql {
  readonly sql: string;
  readonly params: unknown[];
}

function ofAll(filter: PaymentFilter): Sql {
  const bounds = boundsOf(filter);
  return {
    sql: `select create_time, id from payment where ${bounds.sql} ${NEWEST_FIRST} ?`,
    params: [...bounds.params, filter.limit],
  };
}

function ofAccounts(filter: PaymentFilter): Sql {
  const bounds = boundsOf(filter);
  const side = (column: string, visible: string): Sql => ({
    sql: `(select create_time, id from payment
      where ${column} = account.id and ${visible} and ${bounds.sql} ${NEWEST_FIRST} ?)`,
    params: [...bounds.params, filter.limit],
  });
  const debtor = side("debtor_account_id", "true");
  const visible = filter.ownerId === undefined ? "true" : SHOWN_TO_CREDITOR;
  const creditor = side("creditor_account_id", visible);
  const accounts = [
    ["account.id = ?", filter.accountId],
    ["account.owner_id = ?", filter.ownerId],
  ].filter(([, value]) => value !== undefined);
  return {
    sql: `select distinct found.create_time, found.id from account
      cross join lateral (${debtor.sql} union all ${creditor.sql}) found
      where ${accounts.map(([condition]) => condition).join(" and ")} ${NEWEST_FIRST} ?`,
    params: [
      ...debtor.params,
      ...creditor.params,
      ...accounts.map(([, value]) => value),
      filter.limit,
    ],
  };
}

function boundsOf(filter: PaymentFilter): Sql {
  const conditions: [string, unknown[]][] = [["true", []]];
  if (filter.status) conditions.push(["status = ?", [filter.status]]);
  if (filter.startTime) conditions.push(["create_time >= ?", [filter.startTime]]);
  if (filter.endTime) conditions.push(["create_time < ?", [filter.endTime]]);
  if (filter.before) {
    const { createTime, id } = filter.before;
    // The first condition is for the partitions, the second for the place in the index.
    conditions.push(["create_time <= ?", [createTime]]);
    conditions.push(["(create_time, id) < (?, ?)", [createTime, id]]);
  }
  return {
    sql: conditions.map(([sql]) => sql).join(" and "),
    params: conditions.flatMap(([, params]) => params),
  };
}
