import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Guards } from "../../src/ledger/batch-sql.ts";
import { hammer, type Hammered } from "../support/hammer.ts";
import { expectInvariants, expectStored, findBreaches } from "../support/invariants.ts";
import { createMigratedDatabase, openLedger, type TestLedger } from "../support/ledger.ts";
import type { TestDatabase } from "../support/postgres.ts";
import { runSql } from "../support/sql.ts";

const NO_GUARDS: Guards = { rowLocks: false, versionCheck: false };

let database: TestDatabase;
const ledgers: TestLedger[] = [];

beforeEach(async () => {
  database = await createMigratedDatabase();
});

afterEach(async () => {
  await Promise.all(ledgers.splice(0).map((ledger) => ledger.close()));
  await database.drop();
});

/** Two processes of four lanes, a transaction for each payment, all between four accounts. */
async function contend(guards: Guards, payments: number): Promise<Hammered> {
  for (let i = 0; i < 2; i++) {
    ledgers.push(await openLedger(database.url, { guards, lanes: 4, maxBatch: 1 }));
  }
  const accountIds: string[] = [];
  for (let i = 0; i < 4; i++) accountIds.push((await ledgers[0]!.openFunded(10_000n)).id);
  const senders = ledgers.map((ledger) => ledger.pay);
  return hammer({ senders, accountIds, payments, callers: 16, maxAmountMinor: 5_000 });
}

/** Takes away the constraint that would refuse the second entry under one number. */
async function dropSequenceKeys(): Promise<void> {
  const keys = await runSql(
    database.url,
    `select 'drop index ' || indexrelid::regclass from pg_index
     where indrelid::regclass::text like 'entry_%' and indisunique and not indisprimary`,
  );
  expect(keys.length).toBeGreaterThan(0);
  await runSql(database.url, keys.flat().join(";"));
}

describe("Many transactions on few accounts at once", { timeout: 60_000 }, () => {
  const rights: [string, Guards][] = [
    ["row locks alone", { rowLocks: true, versionCheck: false }],
    ["the version check alone", { rowLocks: false, versionCheck: true }],
    ["both", { rowLocks: true, versionCheck: true }],
  ];
  test.each(rights)(
    "leave the money right with %s, and no constraint to help",
    async (_, guards) => {
      await dropSequenceKeys();
      const { answers } = await contend(guards, 400);
      await expectInvariants(database.url);
      await expectStored(
        database.url,
        answers.map(({ payment }) => payment),
      );
      expect((await ledgers[0]!.verify()).findings).toEqual([]);
      expect(answers.length).toBeGreaterThan(300);
    },
  );

  test("lose money with neither", async () => {
    await dropSequenceKeys();
    await contend(NO_GUARDS, 400);
    const breaches = await findBreaches(database.url);
    expect(breaches.join("\n")).toContain("a balance is the sum of its account's entries");
    const kinds = (await ledgers[0]!.verify()).findings.map((finding) => finding.kind);
    expect(kinds).toContain("BALANCE_NOT_SUM_OF_ENTRIES");
  });

  test("are refused by the unique entry numbers with neither", async () => {
    const { refusals } = await contend(NO_GUARDS, 400);
    expect(new Set(refusals)).toEqual(new Set(["INTERNAL"]));
    await expectInvariants(database.url);
  });
});
