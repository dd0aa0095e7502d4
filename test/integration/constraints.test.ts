import { beforeAll, describe, expect, test } from "vitest";
import { runSql } from "../support/sql.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();
let alice: string;

beforeAll(async () => {
  const account = await used.ledger.openFunded(100n);
  const bob = await used.ledger.open({ ownerId: "bob" });
  alice = account.id;
  await used.ledger.pay({ debtorAccountId: alice, creditorAccountId: bob.id, amountMinor: 40n });
});

/** The SQLSTATE and the constraint, if any, for which PostgreSQL refuses a statement. */
async function refusalOf(sql: string): Promise<(string | undefined)[]> {
  const error: unknown = await runSql(used.url, sql).then(
    () => ({ code: "none" }),
    (refusal: unknown) => refusal,
  );
  const { code, constraint } = error as { code?: string; constraint?: string };
  return constraint === undefined ? [code] : [code, constraint];
}

function insertEntry(amountMinor: number, sequence: number): string {
  const values = `'${alice}', now(), ${sequence}, '${alice}', '${alice}', ${amountMinor}, 0`;
  return `insert into entry values (${values})`;
}

const CHECK = "23514";
const UNIQUE = "23505";
const APPEND_ONLY = "IP002";

describe("PostgreSQL itself refuses", () => {
  const changes: [string, string, string][] = [
    ["an account below zero", "posted_minor = -1", "account_floor_check"],
    ["more held than there is", "held_minor = 61", "account_floor_check"],
    ["a held amount below zero", "held_minor = -1", "account_held_check"],
    [
      "an account below its overdraft limit",
      "overdraft_mode = 'LIMITED', overdraft_limit_minor = 5, posted_minor = -6",
      "account_floor_check",
    ],
    ["a limit without the mode", "overdraft_limit_minor = 5", "account_overdraft_limit_check"],
    ["a mode without the limit", "overdraft_mode = 'LIMITED'", "account_overdraft_limit_check"],
    ["an unknown status", "status = 'LOST'", "account_status_check"],
    ["closing an account with money on it", "status = 'CLOSED'", "account_closed_check"],
  ];
  test.each(changes)("%s", async (_, change, constraint) => {
    const refusal = await refusalOf(`update account set ${change} where id = '${alice}'`);
    expect(refusal).toEqual([CHECK, constraint]);
  });

  test.each([
    ["a changed entry", "update entry set amount_minor = amount_minor"],
    ["a deleted entry", "delete from entry"],
    ["an emptied statement", "truncate entry"],
    ["a changed entry of one partition", "update entry_PARTITION set amount_minor = amount_minor"],
    ["a deleted entry of one partition", "delete from entry_PARTITION"],
    ["an emptied partition", "truncate entry_PARTITION"],
  ])("%s", async (_, sql) => {
    const [row] = await runSql(used.url, "select to_char(max(create_time), 'YYYY_MM') from entry");
    const month = String(row?.[0]);
    expect(await refusalOf(sql.replace("PARTITION", month))).toEqual([APPEND_ONLY]);
  });

  test("a second entry under the number of another, whatever its time", async () => {
    const [code, constraint] = await refusalOf(
      `insert into entry select account_id, create_time - interval '1 ms', entry_sequence,
         payment_id, counterparty_account_id, amount_minor, balance_after_minor from entry`,
    );
    expect([code, constraint]).toEqual([UNIQUE, expect.stringMatching(/^entry_.*_sequence_key$/)]);
  });

  test("an entry of nothing, or numbered zero", async () => {
    expect(await refusalOf(insertEntry(0, 9))).toEqual([CHECK, "entry_amount_check"]);
    expect(await refusalOf(insertEntry(5, 0))).toEqual([CHECK, "entry_sequence_check"]);
  });

  test.each([
    ["a payment of nothing", "amount_minor = 0", "payment_amount_check"],
    ["one of 2^53", "amount_minor = 9007199254740992", "payment_amount_check"],
    ["one to itself", "creditor_account_id = debtor_account_id", "payment_sides_check"],
    ["an unknown status of a payment", "status = 'LOST'", "payment_status_check"],
    ["a settled payment with a reason", "reason = 'ACCOUNT_FROZEN'", "payment_reason_check"],
    ["one without its balances", "debtor_balance_after_minor = null", "payment_balance_check"],
    [
      "one that starts cancelled",
      "status = 'CANCELLED', captured_minor = 0",
      "payment_start_check",
    ],
    ["more captured than the amount", "captured_minor = 41", "payment_captured_check"],
    ["more refunded than captured", "refunded_minor = 41", "payment_refunded_check"],
    ["something due of a settled payment", "due_time = now()", "payment_due_check"],
  ])("%s", async (_, change, constraint) => {
    // Without triggers, which come first.
    const [code, broken] = await refusalOf(
      `set session_replication_role = replica; update payment set ${change} where amount_minor = 40`,
    );
    // A status that isn't there breaks more than one check; PostgreSQL names any of them.
    expect([code, broken]).toEqual([
      CHECK,
      /_(status|start)_check$/.test(constraint) ? expect.stringMatching(/^payment_/) : constraint,
    ]);
  });

  test("the second payment of a key, and the second event of a change", async () => {
    expect(await refusalOf("insert into idempotency_key select * from idempotency_key")).toEqual([
      UNIQUE,
      "idempotency_key_pkey",
    ]);
    const [code] = await refusalOf(
      `insert into payment_event (payment_id, sequence, create_time, event_id, shard, payload)
         select payment_id, sequence, create_time, event_id, shard, payload from payment_event`,
    );
    expect(code).toBe(UNIQUE);
  });

  test("a shard that no relay has", async () => {
    expect(await refusalOf("update payment_event set shard = 64")).toEqual([
      CHECK,
      "payment_event_shard_check",
    ]);
  });
});

test("A payment whose write the database refuses is told as internal and leaves nothing", async () => {
  const bank = await used.ledger.open({ ownerId: "bank", overdraftMode: "UNBOUNDED" });
  const [carol, dave] = [await used.ledger.open(), await used.ledger.open()];
  const pay = (creditorAccountId: string) =>
    used.ledger.pay({ debtorAccountId: bank.id, creditorAccountId, amountMinor: 7n });
  await runSql(
    used.url,
    `alter table entry add constraint no_carol check (account_id <> '${carol.id}') not valid`,
  );
  const told = await Promise.allSettled([pay(dave.id), pay(carol.id), pay(dave.id)]);
  await runSql(used.url, "alter table entry drop constraint no_carol");
  expect(told).toMatchObject([
    { value: { payment: { status: "SETTLED" } } },
    { reason: { reason: "INTERNAL" } },
    { value: { payment: { status: "SETTLED" } } },
  ]);
  expect((await used.ledger.account(carol.id)).entrySequence).toBe(0);
  expect((await used.ledger.account(dave.id)).postedMinor).toBe(14n);
});
