import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { expect, test } from "vitest";
import { fixedHeat } from "../support/fixed-heat.ts";
import { useLedger } from "../support/use-ledger.ts";

const told: ReadonlyMap<string, number>[] = [];
const used = useLedger({
  heat: {
    ...fixedHeat(() => false),
    observe: (_units, waits) => void told.push(waits),
  },
});

/** Pays from one account to another; the waits for their locks, in milliseconds. */
async function payAndWait(debtorAccountId: string, creditorAccountId: string) {
  told.length = 0;
  await used.ledger.pay({ debtorAccountId, creditorAccountId, amountMinor: 1n });
  expect(told).toHaveLength(1);
  return told[0]!;
}

/** Holds an account's row for so long while `work` runs. */
async function whileHeld<T>(accountId: string, ms: number, work: () => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: used.url });
  await client.connect();
  try {
    await client.query("begin");
    await client.query("select from account where id = $1 for update", [accountId]);
    const done = work();
    await sleep(ms);
    await client.query("rollback");
    return await done;
  } finally {
    await client.end();
  }
}

test("A commit tells for which account it waited how long, be it the first or a later one", async () => {
  const { ledger } = used;
  const first = await ledger.openFunded(1_000n);
  const last = await ledger.open();
  expect(first.id < last.id).toBe(true);
  for (const held of [first, last]) {
    const waits = await whileHeld(held.id, 300, () => payAndWait(first.id, last.id));
    expect([...waits.keys()]).toEqual([held.id]);
    expect(waits.get(held.id)).toBeGreaterThan(100);
    expect(waits.get(held.id)).toBeLessThan(900);
  }
});

test("Accounts that are free, or that don't exist, are waited for by nobody", async () => {
  const { id } = await used.ledger.openFunded(1_000n);
  expect((await payAndWait(id, (await used.ledger.open()).id)).size).toBe(0);
  expect((await payAndWait(id, "00000000-0000-4000-8000-00000000000b")).size).toBe(0);
});
