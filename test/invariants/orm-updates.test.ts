import { describe, expect, test } from "vitest";
import { AccountEntity } from "../../src/accounts/account.entity.ts";
import { useFreshLedger } from "../support/use-ledger.ts";

const WORKERS = 8;
const TRANSFERS_OF_EACH = 15;

const used = useFreshLedger();

/** Workers that each move 1 through entities, without a lock, and try again when they're refused. */
async function transferByEntities() {
  const [payer, payee] = [
    await used.ledger.openFunded(1_000n),
    await used.ledger.open({ ownerId: "bob" }),
  ];
  async function work(): Promise<void> {
    for (let done = 0; done < TRANSFERS_OF_EACH;) {
      const em = used.ledger.orm.em.fork();
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
  return (await used.ledger.account(payer.id)).postedMinor;
}

describe("Versions that MikroORM compares", () => {
  const right = 1_000n - BigInt(WORKERS * TRANSFERS_OF_EACH);

  test("keep two accounts right with the database's settings, an UPDATE for each row", async () => {
    expect(used.ledger.orm.config.get("useBatchUpdates")).toBe(false);
    expect(await transferByEntities()).toBe(right);
  });

  test("lose money with its default, one UPDATE for several rows", async () => {
    used.ledger.orm.config.set("useBatchUpdates", true);
    expect(await transferByEntities()).toBeGreaterThan(right);
  });
});
