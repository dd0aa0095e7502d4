import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  mayBecome,
  PAYMENT_STATUSES,
  type PaymentStatus,
} from "../../src/kernel/payment-states.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();
let client: Client;
let id: string;

beforeAll(async () => {
  client = new Client({ connectionString: used.url });
  await client.connect();
  const [debtor, creditor] = [await used.ledger.openFunded(100n), await used.ledger.open()];
  const sides = { debtorAccountId: debtor.id, creditorAccountId: creditor.id };
  id = (await used.ledger.pay({ ...sides, amountMinor: 10n })).payment.id;
});

afterAll(() => client.end());

/** What a payment has, besides its status, that the checks ask for. */
const SHAPES: Readonly<Record<PaymentStatus, string>> = {
  PENDING:
    "reason = 'INSUFFICIENT_FUNDS', captured_minor = 0, due_time = now(), expire_time = now()",
  HELD: "reason = null, captured_minor = 0, due_time = now(), expire_time = now()",
  SETTLED: "reason = null, captured_minor = 10, due_time = null",
  REJECTED: "reason = 'INSUFFICIENT_FUNDS', captured_minor = 0, due_time = null",
  CANCELLED: "captured_minor = 0, due_time = null",
  EXPIRED: "captured_minor = 0, due_time = null",
};

const balance = (status: PaymentStatus) => (status === "SETTLED" ? "1" : "null");
const become = (status: PaymentStatus) => `update payment set status = '${status}',
  ${SHAPES[status]}, debtor_balance_after_minor = ${balance(status)},
  creditor_balance_after_minor = ${balance(status)}, sequence = sequence + 1 where id = '${id}'`;

/** "done", or the SQLSTATE of the refusal; nothing stays. */
async function attempt(from: PaymentStatus, change: string): Promise<string | undefined> {
  await client.query("begin");
  try {
    await client.query("set local session_replication_role = replica");
    await client.query(become(from));
    await client.query("set local session_replication_role = origin");
    await client.query(change);
    return "done";
  } catch (error) {
    return (error as { code?: string }).code;
  } finally {
    await client.query("rollback");
  }
}

const REFUSED = "IP003";

test("PostgreSQL lets a payment go exactly the ways of the state machine", async () => {
  for (const from of PAYMENT_STATUSES) {
    for (const to of PAYMENT_STATUSES) {
      const told = await attempt(from, become(to));
      expect([from, to, told]).toEqual([from, to, mayBecome(from, to) ? "done" : REFUSED]);
    }
  }
});

test.each([
  ["another amount", "amount_minor = 9, sequence = sequence + 1"],
  ["another creditor", "creditor_account_id = id, sequence = sequence + 1"],
  ["another key", "idempotency_key = 'other', sequence = sequence + 1"],
  ["less captured", "captured_minor = 9, sequence = sequence + 1"],
  ["other metadata", "metadata = '{}', remittance_information = 'x', sequence = sequence + 1"],
  ["another balance once it's settled", "debtor_balance_after_minor = 7, sequence = sequence + 1"],
  ["another end once it's settled", "expire_time = now(), sequence = sequence + 1"],
  ["a change without its sequence", "refunded_minor = 1"],
  ["a change of the past", "refunded_minor = 1, sequence = sequence - 1"],
])("PostgreSQL refuses a payment with %s", async (_, change) => {
  expect(await attempt("SETTLED", `update payment set ${change} where id = '${id}'`)).toBe(REFUSED);
});

test("PostgreSQL refuses to delete a payment", async () => {
  expect(await attempt("SETTLED", `delete from payment where id = '${id}'`)).toBe("IP002");
});

test("The scheduler's claim moves the due time alone", async () => {
  const claim = `update payment set due_time = now() + interval '1 s' where id = '${id}'`;
  expect(await attempt("HELD", claim)).toBe("done");
  expect(await attempt("HELD", claim.replace("set", "set update_time = now(),"))).toBe(REFUSED);
});
