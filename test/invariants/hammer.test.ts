import { afterEach, beforeEach, expect, test } from "vitest";
import { hammer, openTwentyAccounts, type Hammered } from "../support/hammer.ts";
import { expectInvariants, expectStored } from "../support/invariants.ts";
import {
  createMigratedDatabase,
  openLedger,
  type TestLedger,
  type TestLedgerOptions,
} from "../support/ledger.ts";
import type { TestDatabase } from "../support/postgres.ts";

const PAYMENTS = 10_000;

let database: TestDatabase;
const ledgers: TestLedger[] = [];

beforeEach(async () => {
  database = await createMigratedDatabase();
});

afterEach(async () => {
  await Promise.all(ledgers.splice(0).map((ledger) => ledger.close()));
  await database.drop();
});

async function hammerWith(...options: TestLedgerOptions[]): Promise<Hammered> {
  for (const one of options) ledgers.push(await openLedger(database.url, one));
  const accountIds = await openTwentyAccounts(ledgers[0]!);
  const load = { accountIds, payments: PAYMENTS, callers: 32, maxAmountMinor: 60_000 };
  return hammer({ senders: ledgers.map((ledger) => ledger.pay), ...load });
}

async function expectAllRight({ answers, repeated, refusals }: Hammered): Promise<void> {
  expect(refusals).toEqual([]);
  expect(answers).toHaveLength(PAYMENTS + repeated);
  expect(answers.filter((answer) => !answer.replayed)).toHaveLength(PAYMENTS);
  const statuses = new Set(answers.map(({ payment }) => payment.status));
  expect(statuses).toEqual(new Set(["SETTLED", "REJECTED"]));
  await expectInvariants(database.url);
  await expectStored(
    database.url,
    answers.map(({ payment }) => payment),
  );
  const startMs = performance.now();
  const verified = await ledgers[0]!.verify();
  // A fraction of a second, unless a rule looks something up for each row in turn: half a minute.
  expect(performance.now() - startMs).toBeLessThan(10_000);
  expect(verified.findings).toEqual([]);
  // The twenty payments that funded the accounts are there too.
  expect(verified.payments).toBe(PAYMENTS + 20);
  expect(verified.events).toBe(PAYMENTS + 20);
}

test(
  "Ten thousand payments at 32 at once leave the ledger exact",
  { timeout: 240_000 },
  async () => {
    await expectAllRight(await hammerWith({}));
  },
);

test("So do two processes with two lanes each on one database", { timeout: 240_000 }, async () => {
  await expectAllRight(await hammerWith({ lanes: 2 }, { lanes: 2 }));
});
