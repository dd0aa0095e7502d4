import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Committed } from "../../src/ledger/group-commit.ts";
import { callAs, openLedger, type TestLedger } from "../support/ledger.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();
let other: TestLedger;
let accounts: { debtorAccountId: string; creditorAccountId: string };

beforeAll(async () => {
  other = await openLedger(used.url, { lanes: 4, maxBatch: 1 });
  accounts = {
    debtorAccountId: (await used.ledger.openFunded(100_000n)).id,
    creditorAccountId: (await used.ledger.open({ ownerId: "bob" })).id,
  };
});

afterAll(() => other.close());

/** All told the same payment, one of them as new. */
function expectOne(told: readonly Committed[]): void {
  expect(new Set(told.map(({ payment }) => payment.id)).size).toBe(1);
  expect(told.filter(({ replayed }) => !replayed)).toHaveLength(1);
}

function payTimes(ledgers: readonly TestLedger[], idempotencyKey: string): Promise<Committed[]> {
  const request = { ...accounts, idempotencyKey, amountMinor: 10n };
  return Promise.all(ledgers.map((ledger) => ledger.pay(request)));
}

describe("One request sent several times at once makes one payment", () => {
  test("when all are in the same batch", async () => {
    const before = (await used.ledger.account(accounts.debtorAccountId)).postedMinor;
    expectOne(
      await payTimes(
        Array.from({ length: 5 }, () => used.ledger),
        "one batch",
      ),
    );
    const after = await used.ledger.account(accounts.debtorAccountId);
    expect(after.postedMinor).toBe(before - 10n);
  });

  test("when each is in a transaction of its own", async () => {
    for (let i = 0; i < 20; i++) {
      expectOne(
        await payTimes(
          Array.from({ length: 4 }, () => other),
          `four lanes ${i}`,
        ),
      );
    }
  });

  test("when they come to different processes", async () => {
    for (let i = 0; i < 20; i++) {
      expectOne(await payTimes([used.ledger, other, used.ledger, other], `processes ${i}`));
    }
  });
});

describe("Of different requests with the same key at once", () => {
  test("one is made and the others are refused", async () => {
    const amounts = [1n, 2n, 3n, 4n];
    const told = await Promise.allSettled(
      amounts.map((amountMinor) => other.pay({ ...accounts, idempotencyKey: "many", amountMinor })),
    );
    const reasons = told.map((one) =>
      one.status === "rejected" ? String(one.reason.reason) : "made",
    );
    expect(reasons.toSorted()).toEqual([
      "IDEMPOTENCY_KEY_REUSED",
      "IDEMPOTENCY_KEY_REUSED",
      "IDEMPOTENCY_KEY_REUSED",
      "made",
    ]);
  });

  test("one that is refused hands the key on to the next", async () => {
    const bobs = await used.ledger.open({ ownerId: "bob" });
    const reasons: string[] = [];
    for (let i = 0; i < 10; i++) {
      const request = { ...accounts, idempotencyKey: `handed on ${i}`, amountMinor: 1n };
      const asAlice = callAs("alice");
      // A neighbour that settles keeps the refused one's transaction from being rolled back.
      const neighbour = used.ledger.pay({ ...accounts, amountMinor: 1n });
      const refused = used.ledger.pay({ ...request, debtorAccountId: bobs.id }, asAlice);
      const paid = [used.ledger.pay(request, asAlice), other.pay(request, asAlice)];
      await refused.catch((error: { reason: string }) => reasons.push(error.reason));
      expectOne(await Promise.all(paid));
      expect((await neighbour).payment.status).toBe("SETTLED");
    }
    expect(reasons).toHaveLength(10);
    expect(reasons).toContain("ACCOUNT_NOT_FOUND");
  });
});
