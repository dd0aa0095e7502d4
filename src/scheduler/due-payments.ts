import type { MikroORM } from "@mikro-orm/postgresql";
import type { DatabaseClock } from "../kernel/clock.ts";
import { ServiceError } from "../kernel/errors.ts";
import { uuidv7 } from "../kernel/ids.ts";
import type { GroupCommit } from "../ledger/group-commit.ts";
import type { DueCommand } from "../payments/payment-command.ts";
import type { Database } from "../platform/database.ts";

/** What finding and doing what is due needs. */
export interface DuePaymentsDeps {
  readonly orm: MikroORM;
  readonly ledger: GroupCommit;
  readonly databaseClock: DatabaseClock;
}

/** What is due and hasn't been done. */
export interface OverduePayments {
  /** Counted up to 100,000. */
  readonly payments: number;
  /** For how long the one that has waited longest has been due; 0 if there is none. */
  readonly oldestSeconds: number;
}

/** Looks up what is overdue in the whole database, whoever has to do it. */
export async function findOverdue({ orm }: Pick<Database, "orm">): Promise<OverduePayments> {
  const rows = await orm.em.fork().execute<{ payments: number; oldest: number }[]>(OVERDUE);
  return { payments: rows[0]!.payments, oldestSeconds: Math.max(0, rows[0]!.oldest) };
}

/** What can be due of a payment: its end, or another attempt before that. */
export type DueWork = "expiries" | "attempts";

/** Does what is due of one kind by PostgreSQL's clock; returns how many payments it claimed. */
export type RunDuePayments = (work: DueWork) => Promise<number>;

/** The most payments of one claim. */
export const MAX_CLAIM = 500;
/** How long others leave a claimed payment alone; then it's due again. */
const CLAIM_MS = 500;

/**
 * Claims go around each other and never wait. A claim only keeps others from the same work: that
 * nothing is done twice is decided in the ledger, under the payment's lock, by its sequence. What
 * is to end is claimed apart, so that it doesn't stand in line behind attempts.
 */
const claimSql = (isDue: string, first: "due_time" | "expire_time") => `
  update payment p set due_time = case
    when p.expire_time > found.now and p.expire_time < found.now + interval '${CLAIM_MS} ms'
    then p.expire_time else found.now + interval '${CLAIM_MS} ms' end
  from (
    select create_time, id, (select clock_timestamp()) as now from payment
    where due_time <= (select clock_timestamp()) and ${isDue}
    order by ${first} limit ${MAX_CLAIM} for no key update skip locked) found
  where p.create_time = found.create_time and p.id = found.id
  returning p.id, p.create_time, p.sequence, p.debtor_account_id, p.creditor_account_id`;

const CLAIM: Readonly<Record<DueWork, string>> = {
  expiries: claimSql("expire_time <= (select clock_timestamp())", "expire_time"),
  attempts: claimSql("expire_time > (select clock_timestamp())", "due_time"),
};

const MAX_COUNTED = 100_000;

/**
 * By what the payments say themselves: a claim puts off `due_time`, and a payment that is claimed
 * again and again is overdue all the same.
 */
const OVERDUE = `
  select count(*)::int as payments,
    coalesce(extract(epoch from clock_timestamp() - min(since)), 0)::float8 as oldest
  from (
    select least(expire_time, (attempts->-1->>'nextTime')::timestamptz) as since from payment
    where due_time <= (select clock_timestamp()) + interval '${CLAIM_MS} ms'
    order by due_time limit ${MAX_COUNTED}) found
  where since <= clock_timestamp()`;

interface ClaimedRow {
  readonly id: string;
  readonly create_time: Date | string;
  readonly sequence: number;
  readonly debtor_account_id: string;
  readonly creditor_account_id: string;
}

/**
 * Makes one round of what is due, as many instances at once as there are.
 *
 * 1. Claim the payments. A crash after it leaves them to whoever comes when the claim has passed.
 * 2. Hand each to the ledger, whose transaction decides by its clock what is due of it, and does
 *    it once: whoever comes second finds another sequence.
 *
 * Throws what PostgreSQL throws and what is a fault; the payments stay due then.
 */
export function createRunDuePayments(deps: DuePaymentsDeps): RunDuePayments {
  return async (work) => {
    const rows = await deps.orm.em.fork().execute<ClaimedRow[]>(CLAIM[work]);
    const results = await Promise.allSettled(
      rows.map((row) => {
        const command = toCommand(row, deps.databaseClock.now());
        return deps.ledger.submit(command, Number.POSITIVE_INFINITY);
      }),
    );
    // That the ledger is busy or away is nobody's fault, and the payments stay due.
    const fault = results.find((one) => one.status === "rejected" && !isPassing(one.reason));
    if (fault?.status === "rejected") throw fault.reason;
    return rows.length;
  };
}

function isPassing(error: unknown): boolean {
  return error instanceof ServiceError && error.retryAfterMs !== undefined;
}

function toCommand(row: ClaimedRow, nowMs: number): DueCommand {
  return {
    kind: "due",
    id: uuidv7(nowMs),
    createTime: new Date(nowMs),
    sequence: row.sequence,
    target: {
      id: row.id,
      createTime: new Date(row.create_time),
      debtorAccountId: row.debtor_account_id,
      creditorAccountId: row.creditor_account_id,
    },
  };
}
