import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { expectInvariants } from "./invariants.ts";
import {
  createMigratedDatabase,
  openLedger,
  type TestLedger,
  type TestLedgerOptions,
} from "./ledger.ts";
import type { TestDatabase } from "./postgres.ts";

/** What a test file works with, from its first test on, or what each of its tests has. */
export interface UsedLedger {
  readonly url: string;
  readonly ledger: TestLedger;
}

/**
 * Gives a test file a ledger on a database of its own. After the last test everything that must
 * hold of it is checked, by the tests' own queries and by the ledger's.
 */
export function useLedger(options: TestLedgerOptions = {}): UsedLedger {
  let database: TestDatabase;
  let ledger: TestLedger;
  beforeAll(async () => {
    database = await createMigratedDatabase();
    ledger = await openLedger(database.url, options);
  });
  afterAll(async () => {
    const { findings } = await ledger.verify();
    await ledger.close();
    expect(findings).toEqual([]);
    await expectInvariants(database.url);
    await database.drop();
  });
  return toUsed(() => ({ url: database.url, ledger }));
}

/** Gives each test a ledger on a database of its own, which it may leave damaged. */
export function useFreshLedger(): UsedLedger {
  let database: TestDatabase;
  let ledger: TestLedger;
  beforeEach(async () => {
    database = await createMigratedDatabase();
    ledger = await openLedger(database.url);
  });
  afterEach(async () => {
    await ledger.close();
    await database.drop();
  });
  return toUsed(() => ({ url: database.url, ledger }));
}

/** Looks up what there is at the moment. */
function toUsed(now: () => UsedLedger): UsedLedger {
  return {
    get url() {
      return now().url;
    },
    get ledger() {
      return now().ledger;
    },
  };
}
