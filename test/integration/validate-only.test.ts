import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { callAs } from "../support/ledger.ts";
import { runSql } from "../support/sql.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();

/** Everything that is stored, as one text. */
async function everything(): Promise<unknown> {
  const ofPayments = ["payment", "entry", "idempotency_key", "payment_event", "unpublished_event"];
  const tables = ["account", ...ofPayments];
  const rows = tables.map((table) => runSql(used.url, `select t::text from ${table} t order by 1`));
  return Promise.all(rows);
}

test("A dry run decides as the payment would, and writes nothing", async () => {
  const { ledger } = used;
  const alice = await ledger.openFunded(100n);
  const bob = await ledger.open({ ownerId: "bob" });
  const request = { debtorAccountId: alice.id, creditorAccountId: bob.id, validateOnly: true };
  const before = await everything();
  const settled = await ledger.pay({ ...request, amountMinor: 100n });
  expect(settled).toMatchObject({
    replayed: false,
    payment: { id: "", status: "SETTLED", debtorBalanceAfterMinor: 0n },
  });
  const declined = await ledger.pay({ ...request, amountMinor: 101n });
  expect(declined.payment).toMatchObject({ status: "REJECTED", reason: "INSUFFICIENT_FUNDS" });
  expect(await everything()).toEqual(before);
});

test("A dry run refuses what the payment would be refused for", async () => {
  const { ledger } = used;
  const alice = await ledger.openFunded(100n);
  const bob = await ledger.open({ ownerId: "bob" });
  const request = {
    debtorAccountId: alice.id,
    creditorAccountId: bob.id,
    amountMinor: 1n,
    validateOnly: true,
  };
  await expect(ledger.pay(request, callAs("bob"))).rejects.toMatchObject({
    reason: "ACCOUNT_NOT_FOUND",
  });
  const expired = { ...request, expireTime: new Date(Date.now() - 60_000) };
  await expect(ledger.pay(expired)).rejects.toMatchObject({ reason: "EXPIRE_TIME_PASSED" });
  await expect(ledger.pay({ ...request, currencyCode: "XXX" })).rejects.toMatchObject({
    reason: "INVALID_FIELD",
    violations: [{ field: "amount.currency_code" }],
  });
});

test("A dry run neither looks at the key nor uses it up", async () => {
  const { ledger } = used;
  const alice = await ledger.openFunded(100n);
  const bob = await ledger.open({ ownerId: "bob" });
  const payment = {
    idempotencyKey: randomUUID(),
    debtorAccountId: alice.id,
    creditorAccountId: bob.id,
    amountMinor: 1n,
  };
  await ledger.pay({ ...payment, validateOnly: true });
  expect(await ledger.pay(payment)).toMatchObject({ replayed: false });
  const other = await ledger.pay({ ...payment, amountMinor: 2n, validateOnly: true });
  expect(other).toMatchObject({ replayed: false, payment: { amountMinor: 2n } });
});
