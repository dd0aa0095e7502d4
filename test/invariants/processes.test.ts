import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hammer, openTwentyAccounts, type Hammer, type Hammered } from "../support/hammer.ts";
import { expectInvariants, expectStored } from "../support/invariants.ts";
import { createMigratedDatabase, openLedger, type TestLedger } from "../support/ledger.ts";
import type { TestDatabase } from "../support/postgres.ts";
import { payUntilTold, startInstance, type ServiceInstance } from "../support/service-instance.ts";

const PAYMENTS = 10_000;

let database: TestDatabase;
let ledger: TestLedger;
let instances: ServiceInstance[] = [];

beforeEach(async () => {
  database = await createMigratedDatabase();
  ledger = await openLedger(database.url);
  instances = await Promise.all([1, 2].map(() => startInstance(database.url)));
}, 120_000);

afterEach(async () => {
  await Promise.all(instances.map((instance) => instance.kill()));
  await ledger.close();
  await database.drop();
});

async function hammerWith(options: Pick<Hammer, "senders" | "onAnswer">): Promise<Hammered> {
  const accountIds = await openTwentyAccounts(ledger);
  const load = { accountIds, payments: PAYMENTS, callers: 32, maxAmountMinor: 60_000 };
  return hammer({ ...load, ...options });
}

async function expectAllRight({ answers, repeated, refusals }: Hammered): Promise<void> {
  expect(refusals).toEqual([]);
  expect(answers).toHaveLength(PAYMENTS + repeated);
  await expectInvariants(database.url);
  await expectStored(
    database.url,
    answers.map(({ payment }) => payment),
  );
  const verified = await ledger.verify();
  expect(verified.findings).toEqual([]);
  // The twenty payments that funded the accounts are there too.
  expect(verified.payments).toBe(PAYMENTS + 20);
}

describe("Two processes on one database", { timeout: 600_000 }, () => {
  test("keep the ledger exact under ten thousand payments over HTTP", async () => {
    const hammered = await hammerWith({ senders: instances.map((instance) => instance.pay) });
    await expectAllRight(hammered);
    expect(hammered.answers.filter((answer) => !answer.replayed)).toHaveLength(PAYMENTS);
    expect(await Promise.all(instances.map((instance) => instance.stop()))).toEqual([0, 0]);
  });

  test("lose no payment that was told when each is killed in the middle", async () => {
    const kills: Promise<void>[] = [];
    async function killAndStart(which: number): Promise<void> {
      await instances[which]!.kill();
      instances[which] = await startInstance(database.url);
    }
    const hammered = await hammerWith({
      senders: [0, 1].map((first) => (payment) => payUntilTold(instances, payment, first)),
      onAnswer(answers) {
        if (answers === 3_000) kills.push(killAndStart(0));
        if (answers === 7_000) kills.push(killAndStart(1));
      },
    });
    await Promise.all(kills);
    expect(kills).toHaveLength(2);
    await expectAllRight(hammered);
  });
});
