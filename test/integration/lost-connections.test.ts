import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { changesBy } from "../support/changes-by.ts";
import { openCuttingProxy, type CuttingProxy } from "../support/cutting-proxy.ts";
import { callAs, openLedger, type TestLedger } from "../support/ledger.ts";
import { runSql } from "../support/sql.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();
let proxy: CuttingProxy;
let ledger: TestLedger;
let accounts: { debtorAccountId: string; creditorAccountId: string };

beforeEach(async () => {
  proxy = await openCuttingProxy(used.url);
  ledger = await openLedger(proxy.url);
  accounts = {
    debtorAccountId: (await used.ledger.openFunded(1_000n)).id,
    creditorAccountId: (await used.ledger.open({ ownerId: "bob" })).id,
  };
});

afterEach(async () => {
  proxy.goAway(false);
  await ledger.close();
  await proxy.close();
});

async function expectPaidOnce(): Promise<void> {
  expect(await used.ledger.account(accounts.debtorAccountId)).toMatchObject({ postedMinor: 900n });
  const [count] = await runSql(
    used.url,
    "select count(*)::int from payment where debtor_account_id = $1",
    [accounts.debtorAccountId],
  );
  expect(count).toEqual([1]);
}

describe("A connection that is cut", () => {
  test.each(["before the commit", "after the commit"] as const)(
    "%s still makes one payment, told as new",
    async (cut) => {
      proxy.cutCommits(cut, 1);
      const told = await ledger.pay({ ...accounts, amountMinor: 100n });
      expect(proxy.cuts).toBe(1);
      expect(told).toMatchObject({ replayed: false, payment: { status: "SETTLED" } });
      await expectPaidOnce();
    },
  );

  test.each(["before the commit", "after the commit"] as const)(
    "%s of an atomic batch makes all of it, once",
    async (cut) => {
      proxy.cutCommits(cut, 1);
      const told = await ledger.payTogether(
        [10n, 20n, 30n].map((amountMinor) => ({ ...accounts, amountMinor })),
      );
      expect(proxy.cuts).toBe(1);
      expect(told.map((one) => "payment" in one && [one.payment.status, one.replayed])).toEqual(
        [1, 2, 3].map(() => ["SETTLED", false]),
      );
      const { postedMinor } = await used.ledger.account(accounts.debtorAccountId);
      expect(postedMinor).toBe(940n);
    },
  );

  test.each(["before the commit", "after the commit"] as const)(
    "%s of a capture, refund, cancellation or retry makes the change once, told as new",
    async (cut) => {
      const { id: emptyId } = await used.ledger.open({});
      const pay = async (
        holdDurationMs: number | null,
        debtorAccountId = accounts.debtorAccountId,
      ) =>
        (await ledger.pay({ ...accounts, debtorAccountId, amountMinor: 100n, holdDurationMs }))
          .payment;
      const rejected = await pay(null, emptyId);
      const [toCapture, toCancel, toRefund] = [
        await pay(60_000),
        await pay(60_000),
        await pay(null),
      ];
      const { capture, cancel, refund, retry } = changesBy(ledger, "admin");
      const changes = [
        () => capture(toCapture),
        () => cancel(toCancel),
        () => refund(toRefund),
        () => retry(rejected),
      ];
      const told = [];
      for (const change of changes) {
        proxy.cutCommits(cut, 1);
        told.push(await change());
      }
      expect(proxy.cuts).toBe(4);
      expect(told.map(({ payment, replayed }) => [payment.status, replayed])).toEqual([
        ["SETTLED", false],
        ["CANCELLED", false],
        ["SETTLED", false],
        ["REJECTED", false],
      ]);
      expect(told[2]!.payment.refundOfPaymentId).toBe(toRefund.id);
      expect(told[3]!.payment.retryOfPaymentId).toBe(rejected.id);
      expect(await used.ledger.account(accounts.debtorAccountId)).toMatchObject({
        postedMinor: 900n,
        heldMinor: 0n,
      });
    },
  );

  test("after every commit is told as unknown, and the key finds the payment", async () => {
    proxy.cutCommits("after the commit", 1);
    const request = { ...accounts, amountMinor: 100n, idempotencyKey: "lost" };
    const paying = ledger.pay(request);
    // From the first lost commit on nobody gets through any more.
    while (proxy.cuts === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    proxy.goAway(true);
    await expect(paying).rejects.toMatchObject({
      reason: "UNAVAILABLE",
      retryAfterMs: expect.any(Number) as unknown,
    });
    proxy.goAway(false);
    expect(await ledger.pay(request)).toMatchObject({
      replayed: true,
      payment: { status: "SETTLED" },
    });
    await expectPaidOnce();
  });
});

describe("PostgreSQL that is away", () => {
  test("is UNAVAILABLE to callers, and used again as soon as it's back", async () => {
    await ledger.account(accounts.debtorAccountId);
    proxy.goAway(true);
    await expect(ledger.pay({ ...accounts, amountMinor: 100n })).rejects.toMatchObject({
      reason: "UNAVAILABLE",
    });
    proxy.goAway(false);
    const told = await ledger.pay({ ...accounts, amountMinor: 100n }, callAs("alice"));
    expect(told.payment.status).toBe("SETTLED");
    await expectPaidOnce();
  });
});
