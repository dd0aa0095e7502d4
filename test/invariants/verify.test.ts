import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LEDGER_RULES, type RuleName } from "../../src/ledger/ledger-rules.ts";
import { expectInvariants, findBreaches } from "../support/invariants.ts";
import { callAs, openLedger, prepareDatabase, type TestLedger } from "../support/ledger.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { runSql } from "../support/sql.ts";

const BANK = "00000000-0000-4000-8000-000000000001";
const ALICE = "00000000-0000-4000-8000-000000000002";
const BOB = "00000000-0000-4000-8000-000000000003";
const NOBODY = "00000000-0000-4000-8000-000000000009";

/** The last payment from alice to bob, settled, and one of hers that was declined. */
const PAID = "(select payment_id from idempotency_key where key = 'third')";
const DECLINED = "(select payment_id from idempotency_key where key = 'too much')";

/** A hold of hers, one that was captured in part, its refund, and one that waits for money. */
const HELD = "(select payment_id from idempotency_key where key = 'held')";
const SOLD = "(select payment_id from idempotency_key where key = 'sold')";
const REFUND = "(select command_id from idempotency_key where key = 'refund')";
const PENDING = "(select payment_id from idempotency_key where key = 'pending')";

/** A ledger with a little history, copied for each test. */
const history = {
  name: "history",
  async prepare(url: string) {
    await prepareDatabase(url);
    const ledger = await openLedger(url);
    await ledger.open({ id: BANK, ownerId: "bank", overdraftMode: "UNBOUNDED" });
    await ledger.open({ id: ALICE });
    await ledger.open({ id: BOB, ownerId: "bob" });
    const send = (idempotencyKey: string, from: string, to: string, amountMinor: bigint) =>
      ledger.pay({ idempotencyKey, debtorAccountId: from, creditorAccountId: to, amountMinor });
    await send("fund", BANK, ALICE, 10_000n);
    for (const key of ["first", "second", "third"]) await send(key, ALICE, BOB, 100n);
    await send("too much", ALICE, BOB, 20_000n);
    const hold = { debtorAccountId: ALICE, creditorAccountId: BOB, holdDurationMs: 3_600_000 };
    await ledger.pay({ ...hold, idempotencyKey: "held", amountMinor: 30n });
    const { payment } = await ledger.pay({ ...hold, idempotencyKey: "sold", amountMinor: 60n });
    const capturing = { paymentId: payment.id, idempotencyKey: "capture" };
    const amount = { currencyCode: "EUR", amountMinor: 50n };
    await ledger.changePayment.capture(callAs("bob"), { ...capturing, amount, final: true });
    await ledger.changePayment.refund(callAs("bob"), {
      paymentId: payment.id,
      idempotencyKey: "refund",
      amount: { ...amount, amountMinor: 20n },
      remittanceInformation: "",
    });
    const retryPolicy = { maxAttempts: 5, initialBackoffMs: 1_000, maxBackoffMs: 1_000 };
    const waiting = { ...hold, holdDurationMs: null, amountMinor: 20_000n, retryPolicy };
    await ledger.pay({ ...waiting, idempotencyKey: "pending" });
    await ledger.close();
  },
};

/** For each rule what breaks it: a name and the SQL, run with triggers off. */
const DAMAGE: Readonly<Record<RuleName, Readonly<Record<string, string>>>> = {
  PAYMENT_NOT_BALANCED: {
    "a leg with another amount": `update entry set amount_minor = 101
      where payment_id = ${PAID} and account_id = '${BOB}'`,
    "a leg that is gone": `delete from entry where payment_id = ${PAID} and account_id = '${BOB}'`,
  },
  PAYMENT_ENTRIES_WRONG: {
    "two legs with twice the amount": `update entry set amount_minor = 2 * amount_minor
      where payment_id = ${PAID}`,
    "legs whose accounts are swapped": `update entry
      set account_id = counterparty_account_id, counterparty_account_id = account_id,
        entry_sequence = entry_sequence + 10 where payment_id = ${PAID}`,
    "both legs gone": `delete from entry where payment_id = ${PAID}`,
    "a declined payment with legs": `update entry set payment_id = ${DECLINED}
      where payment_id = ${PAID}`,
    "a settled payment that reads rejected": `update payment set status = 'REJECTED',
      reason = 'ACCOUNT_FROZEN', captured_minor = 0, debtor_balance_after_minor = null,
      creditor_balance_after_minor = null where id = ${PAID}`,
    "a payment with another amount": `update payment set amount_minor = 1, captured_minor = 1
      where id = ${PAID}`,
  },
  PAYMENT_BALANCE_AFTER_WRONG: {
    "a payment that tells another balance": `update payment
      set creditor_balance_after_minor = 7 where id = ${PAID}`,
  },
  ENTRY_COUNTERPARTY_WRONG: {
    "a leg that names another counterparty": `update entry
      set counterparty_account_id = '${BANK}' where payment_id = ${PAID} and account_id = '${BOB}'`,
  },
  ENTRY_WITHOUT_PAYMENT: {
    "a settled payment that is gone": `delete from payment where id = ${PAID}`,
  },
  ENTRY_WITHOUT_ACCOUNT: {
    "an account that is gone": `delete from account where id = '${BOB}'`,
  },
  ENTRY_CURRENCY_WRONG: {
    "an account in another currency": `update account set currency_code = 'USD'
      where id = '${BOB}'`,
  },
  BALANCE_NOT_SUM_OF_ENTRIES: {
    "a balance with one cent more": `update account set posted_minor = posted_minor + 1
      where id = '${BOB}'`,
  },
  ENTRY_SEQUENCE_GAP: {
    "an account that counts one more": `update account set entry_sequence = entry_sequence + 1
      where id = '${BOB}'`,
    "numbers that skip one": `update entry set entry_sequence = 6
      where account_id = '${BOB}' and entry_sequence = 5;
      update account set entry_sequence = 6 where id = '${BOB}'`,
    "numbers that begin at two": `update entry set entry_sequence = entry_sequence + 10;
      update entry set entry_sequence = entry_sequence - 9`,
  },
  RUNNING_BALANCE_WRONG: {
    "an entry that tells another balance": `update entry set balance_after_minor = 7
      where payment_id = ${PAID} and account_id = '${BOB}'`,
  },
  ENTRY_TIME_GOES_BACK: {
    "a first entry from after the second": `update entry set create_time = create_time + interval '1 h'
      where account_id = '${BOB}' and entry_sequence = 1`,
  },
  ACCOUNT_BELOW_LIMIT: {
    "a balance below zero": `alter table account drop constraint account_floor_check;
      update account set posted_minor = -1 where id = '${BOB}'`,
    "a balance below the overdraft limit": `alter table account drop constraint account_floor_check;
      update account set overdraft_mode = 'LIMITED', overdraft_limit_minor = 10, posted_minor = -11
      where id = '${BOB}'`,
  },
  SETTLED_AFTER_EXPIRY: {
    "a payment that expired before it was booked": `update payment
      set expire_time = create_time - interval '1 h' where id = ${PAID}`,
  },
  REFUNDS_WRONG: {
    "a refund that its payment doesn't know of": `update payment set refunded_minor = 0
      where id = ${SOLD}`,
    "a payment that tells of a refund there isn't": `update payment set refunded_minor = 1
      where id = ${PAID}`,
    "a refund of another amount": `update payment set amount_minor = 21, captured_minor = 21
      where id = ${REFUND}`,
  },
  REFUND_SIDES_WRONG: {
    "a refund to somebody else": `update payment set creditor_account_id = '${BANK}'
      where id = ${REFUND}`,
    "a refund of nothing": `update payment set refund_of_payment_id = '${NOBODY}'
      where id = ${REFUND}`,
  },
  RETRY_WRONG: {
    "a payment that was never tried again": `update payment set retried_by_payment_id = '${NOBODY}'
      where id = ${DECLINED}`,
    "a retry of a payment that doesn't know of it": `update payment
      set retry_of_payment_id = ${DECLINED} where id = ${PAID}`,
  },
  ATTEMPTS_WRONG: {
    "an attempt too many": `update payment
      set retry_policy = jsonb_set(retry_policy, '{maxAttempts}', '0') where id = ${PENDING}`,
    "a story with another end": `update payment set attempts = '[{"time": "2026-01-01", "reason": null}]'
      where id = ${PENDING}`,
    "a policy without an attempt": `update payment set attempts = null where id = ${PENDING}`,
  },
  HELD_NOT_SUM_OF_HOLDS: {
    "money held for no payment": `update account set held_minor = held_minor + 5
      where id = '${ALICE}'`,
    "a hold of another amount": `update payment set amount_minor = amount_minor + 1
      where id = ${HELD}`,
    "a hold that is forgotten": `update payment set status = 'EXPIRED', due_time = null,
      sequence = 2 where id = ${HELD}`,
  },
  CURRENCY_NOT_BALANCED: {
    "a balance out of nothing": `update account set posted_minor = posted_minor + 1
      where id = '${BOB}'`,
  },
  PAYMENT_EVENTS_WRONG: {
    "an event that is gone": `delete from payment_event where payment_id = ${PAID}`,
    "an event for no change": `insert into payment_event
      (payment_id, sequence, create_time, event_id, shard, payload)
      select payment_id, 9, create_time, gen_random_uuid(), shard, payload from payment_event
      where payment_id = ${PAID}`,
    "a change without an event": `update payment set sequence = 2 where id = ${PAID}`,
  },
  EVENT_WITHOUT_PAYMENT: {
    "a declined payment that is gone": `delete from payment where id = ${DECLINED}`,
  },
  UNPUBLISHED_WITHOUT_EVENT: {
    "an event that is gone before it was published": `delete from payment_event
      where payment_id = ${PAID}`,
    "an event that waits among those of another shard": `update unpublished_event
      set shard = (shard + 1) % 64 where payment_id = ${PAID}`,
  },
  PAYMENT_KEY_WRONG: {
    "a key that is gone": `delete from idempotency_key where key = 'third'`,
    "a key that leads to another payment": `update idempotency_key set payment_id = ${DECLINED}
      where key = 'third'`,
  },
  KEY_WITHOUT_PAYMENT: {
    "a key for a payment that isn't there": `insert into idempotency_key values
      ('alice', 'lost', '', '${NOBODY}', now())`,
  },
};

let database: TestDatabase;
let ledger: TestLedger;

beforeEach(async () => {
  database = await createTestDatabase(history);
  ledger = await openLedger(database.url);
});

afterEach(async () => {
  await ledger.close();
  await database.drop();
});

test("Verifying an undamaged ledger counts what is there and finds nothing", async () => {
  await expectInvariants(database.url);
  expect(await ledger.verify()).toEqual({
    accounts: 3,
    payments: 9,
    entries: 12,
    events: 11,
    findings: [],
  });
});

test("Every rule has its damage", () => {
  expect(Object.keys(DAMAGE).toSorted()).toEqual(Object.keys(LEDGER_RULES).toSorted());
  for (const ways of Object.values(DAMAGE)) expect(Object.keys(ways)).not.toEqual([]);
});

describe("Verifying finds", () => {
  const damages = Object.entries(DAMAGE).flatMap(([rule, ways]) =>
    Object.entries(ways).map(([way, sql]) => [way, rule, sql] as const),
  );
  test.each(damages)("%s and names %s", async (_, rule, sql) => {
    await runSql(database.url, `set session_replication_role = replica; ${sql}`);
    const { findings } = await ledger.verify();
    expect(findings.map((finding) => finding.kind)).toContain(rule);
    expect(findings.every(({ subjectId, detail }) => subjectId !== "" && detail !== "")).toBe(true);
    // What the other tests check with must be able to fail too.
    expect(await findBreaches(database.url)).not.toEqual([]);
  });
});

test("Verifying lists at most 100 findings of a kind", async () => {
  await runSql(
    database.url,
    `insert into idempotency_key select 'alice', n, '', gen_random_uuid(), now()
     from generate_series(1, 150) n`,
  );
  const { findings } = await ledger.verify();
  expect(findings).toHaveLength(100);
});
