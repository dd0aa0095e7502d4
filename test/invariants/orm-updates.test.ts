import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AccountEntity } from "../../src/accounts/account.entity.ts";
import { createMigratedDatabase, openLedger, type TestLedger } from "../support/ledger.ts";
import type { TestDatabase } from "../support/postgres.ts";

const WORKERS = 8;
const TRANSFERS_OF_EACH = 15;

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

/** Workers that each move 1 through entities, without a lock, and try again when they're refused. */
async function transferByEntities() {
  const [payer, payee] = [await ledger.openFunded(1_000n), await ledger.open({ ownerId: "bob" })];
  async function work(): Promise<void> {
    for (let done = 0; done < TRANSFERS_OF_EACH;) {
      const em = ledger.orm.em.fork();
      const from = await em.findOneOrFail(AccountEntity, { id: payer.id });
      const to = await em.findOneOrFail(AccountEntity, { id: payee.id });
      from.postedMinor -= 1n;
      to.postedMinor += 1n;
      // Refused is refused: only what went through counts.
      done += await em.flush().then(
        () => 1,
        () => 0,
      );
    }
  }
  await Promise.all(Array.from({ length: WORKERS }, work));
  return (await ledger.account(payer.id)).postedMinor;
}

describe("Versions that MikroORM compares", () => {
  const right = 1_000n - BigInt(WORKERS * TRANSFERS_OF_EACH);

  test("keep two accounts right with the database's settings, an UPDATE for each row", async () => {
    expect(ledger.orm.config.get("useBatchUpdates")).toBe(false);
    expect(await transferByEntities()).toBe(right);
  });

  test("lose money with its default, one UPDATE for several rows", async () => {
    ledger.orm.config.set("useBatchUpdates", true);
    expect(await transferByEntities()).toBeGreaterThan(right);
  });
});
