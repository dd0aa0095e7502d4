import { expect, test } from "vitest";
import type { TestPayment } from "../support/ledger.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger({ maxBatch: 500 });

test("a batch of 500 in which PostgreSQL refuses one settles the other 499", async () => {
  const { ledger } = used;
  const debtor = await ledger.openFunded(500n);
  const creditor = await ledger.open({ ownerId: "bob" });
  await refuseInDatabase("new.remittance_information = 'poison'");
  const payments = Array.from({ length: 500 }, (_, i): TestPayment => ({
    idempotencyKey: `culprit-${i}`,
    debtorAccountId: debtor.id,
    creditorAccountId: creditor.id,
    amountMinor: 1n,
    remittanceInformation: i === 333 ? "poison" : "",
  }));
  const results = await Promise.allSettled(payments.map((payment) => ledger.pay(payment)));
  const failed = results.flatMap((result, i) => (result.status === "rejected" ? [i] : []));
  expect(failed).toEqual([333]);
  expect(results[333]).toMatchObject({ reason: { reason: "INTERNAL" } });
  expect(await ledger.account(creditor.id)).toMatchObject({ postedMinor: 499n });

  await ledger.database.commitPool.query("drop trigger poison on payment");
  const { payment, replayed } = await ledger.pay(payments[333]!);
  expect({ status: payment.status, replayed }).toEqual({ status: "SETTLED", replayed: false });
});

test.each([
  ["a full disk", "53100"],
  ["an I/O error", "58030"],
  ["a server that only reads", "25006"],
  ["a statement that takes too long", "57014"],
])("%s makes the whole batch UNAVAILABLE, and leaves its keys free", async (_, state) => {
  const { ledger } = used;
  const debtor = await ledger.openFunded(500n);
  const creditor = await ledger.open({ ownerId: "bob" });
  await refuseInDatabase("true", state);
  const sides = { debtorAccountId: debtor.id, creditorAccountId: creditor.id, amountMinor: 1n };
  const payments = Array.from({ length: 20 }, (__, i): TestPayment => {
    return { ...sides, idempotencyKey: `${state}-${i}` };
  });
  const results = await Promise.allSettled(payments.map((payment) => ledger.pay(payment)));
  for (const result of results) {
    expect(result).toMatchObject({ reason: { reason: "UNAVAILABLE", retryAfterMs: 500 } });
  }

  await ledger.database.commitPool.query("drop trigger poison on payment");
  const told = await Promise.all(payments.map((payment) => ledger.pay(payment)));
  expect(told.map(({ payment, replayed }) => [payment.status, replayed])).toEqual(
    payments.map(() => ["SETTLED", false]),
  );
});

test("a process whose clock has jumped ahead of all partitions answers UNAVAILABLE, then pays", async () => {
  const { ledger } = used;
  const debtor = await ledger.openFunded(500n);
  const creditor = await ledger.open({ ownerId: "bob" });
  const payment: TestPayment = {
    debtorAccountId: debtor.id,
    creditorAccountId: creditor.id,
    amountMinor: 1n,
    idempotencyKey: "jumped",
  };
  ledger.databaseClock.observe(Date.now() + 200 * 24 * 3_600_000);
  const refused = await ledger.pay(payment).catch((error: unknown) => error);
  expect(refused).toMatchObject({ reason: "UNAVAILABLE", retryAfterMs: 500 });
  // The same key, with an id of the time that PostgreSQL has told meanwhile.
  const paid = await ledger.pay(payment);
  expect([paid.payment.status, paid.replayed]).toEqual(["SETTLED", false]);
  expect(await ledger.account(creditor.id)).toMatchObject({ postedMinor: 1n });
});

/** A fault that only PostgreSQL sees: an error for the rows of the condition. */
async function refuseInDatabase(condition: string, state = "P0001"): Promise<void> {
  await used.ledger.database.commitPool.query(`
    create or replace function refuse_poison() returns trigger language plpgsql as $$
    begin
      if ${condition} then raise exception 'poisoned' using errcode = '${state}'; end if;
      return new;
    end $$;
    create trigger poison before insert on payment for each row execute function refuse_poison()`);
}
