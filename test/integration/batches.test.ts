import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import type { ServiceError } from "../../src/kernel/errors.ts";
import type { BatchResult } from "../../src/payments/batch-create-payments.ts";
import { callAs, openLedger, type TestPayment } from "../support/ledger.ts";
import { runSql } from "../support/sql.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();
let accounts: { debtorAccountId: string; creditorAccountId: string };

beforeEach(async () => {
  accounts = {
    debtorAccountId: (await used.ledger.openFunded(1_000n)).id,
    creditorAccountId: (await used.ledger.open({ ownerId: "bob" })).id,
  };
});

const paying = (amountMinor: bigint, more: Partial<TestPayment> = {}): TestPayment => ({
  ...accounts,
  amountMinor,
  ...more,
});

/** Status, or the reason why there is no payment. */
function textsOf(results: readonly BatchResult[]): string[] {
  return results.map((one) => {
    if ("payment" in one) return one.payment.status;
    return one.error.metadata["payment_reason"] ?? one.error.reason;
  });
}

const balance = async () => (await used.ledger.account(accounts.debtorAccountId)).postedMinor;

describe("An atomic batch", () => {
  test("settles all of it, in order", async () => {
    const results = await used.ledger.payTogether([paying(500n), paying(300n), paying(200n)]);
    expect(textsOf(results)).toEqual(["SETTLED", "SETTLED", "SETTLED"]);
    const after = results.map((one) => "payment" in one && one.payment.debtorBalanceAfterMinor);
    expect(after).toEqual([500n, 200n, 0n]);
  });

  test("writes nothing and uses no key if one of it would be declined", async () => {
    const batch = [
      paying(600n, { idempotencyKey: "good" }),
      paying(600n, { idempotencyKey: "bad" }),
    ];
    const results = await used.ledger.payTogether(batch);
    expect(textsOf(results)).toEqual(["BATCH_NOT_APPLIED", "INSUFFICIENT_FUNDS"]);
    expect(await balance()).toBe(1_000n);
    const [count] = await runSql(
      used.url,
      "select count(*)::int from idempotency_key where key in ('good', 'bad')",
    );
    expect(count).toEqual([0]);
    const smaller = batch.map((payment) => ({ ...payment, amountMinor: 400n }));
    expect(textsOf(await used.ledger.payTogether(smaller))).toEqual(["SETTLED", "SETTLED"]);
  });

  test("sent again is told the same payments", async () => {
    const batch = ["a", "b"].map((name) => paying(10n, { idempotencyKey: `again ${name}` }));
    const first = await used.ledger.payTogether(batch);
    const again = await used.ledger.payTogether(batch);
    expect(again).toEqual(first.map((one) => ({ ...one, replayed: true })));
    expect(await balance()).toBe(980n);
  });

  test("goes on from payments that were made before", async () => {
    const early = paying(10n, { idempotencyKey: "made before" });
    await used.ledger.pay(early);
    const results = await used.ledger.payTogether([early, paying(20n)]);
    expect(results).toMatchObject([{ replayed: true }, { replayed: false }]);
    expect(await balance()).toBe(970n);
  });

  test("is refused by a key that was used for another request", async () => {
    const early = paying(10n, { idempotencyKey: "used before" });
    await used.ledger.pay(early);
    const results = await used.ledger.payTogether([{ ...early, amountMinor: 11n }, paying(1n)]);
    expect(textsOf(results)).toEqual(["IDEMPOTENCY_KEY_REUSED", "BATCH_NOT_APPLIED"]);
    expect(await balance()).toBe(990n);
  });

  test("of another's account is refused", async () => {
    const results = await used.ledger.payTogether([paying(1n)], callAs("bob"));
    expect(textsOf(results)).toEqual(["ACCOUNT_NOT_FOUND"]);
  });

  test("sent several times at once, and its payments alone too, is made once", async () => {
    for (let i = 0; i < 10; i++) {
      const batch = ["x", "y", "z"].map((name) => paying(1n, { idempotencyKey: `${i} ${name}` }));
      const told = await Promise.all([
        used.ledger.payTogether(batch),
        used.ledger.pay(batch[1]!),
        used.ledger.payTogether(batch.toReversed()),
        used.ledger.pay(batch[0]!),
      ]);
      const results = told.flat();
      expect(results).toHaveLength(8);
      expect(results.filter((one) => "payment" in one && !one.replayed)).toHaveLength(3);
    }
    expect(await balance()).toBe(970n);
  });
});

test("A request that is refused is refused to all that repeat it in a batch, by one transaction", async () => {
  let transactions = 0;
  const ledger = await openLedger(used.url, {
    watchCommit: (commit) => (units, onLocked) => {
      transactions++;
      return commit(units, onLocked);
    },
  });
  try {
    const debtorAccountId = randomUUID();
    const repeated = paying(1n, { debtorAccountId, idempotencyKey: "nobody's account" });
    const other = { ...repeated, amountMinor: 2n };
    const told = await Promise.allSettled(
      [...Array.from({ length: 100 }, () => repeated), other].map((request) => ledger.pay(request)),
    );
    const reasons = told.map(
      (one) => one.status === "rejected" && (one.reason as ServiceError).reason,
    );
    expect(new Set(reasons)).toEqual(new Set(["ACCOUNT_NOT_FOUND"]));
    // One for the first and its repetitions, one for the other request under the same key.
    expect(transactions).toBeLessThanOrEqual(3);
  } finally {
    await ledger.close();
  }
});
