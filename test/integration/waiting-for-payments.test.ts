import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import { keyedCommand, type CaptureCommand } from "../../src/payments/payment-command.ts";
import { callAs, createMigratedDatabase, openLedger, type TestLedger } from "../support/ledger.ts";
import type { TestDatabase } from "../support/postgres.ts";
import { runSql } from "../support/sql.ts";
import { installTestClock, travelTo } from "../support/test-clock.ts";

const MONTHS = ["2026-11-29", "2026-12-02", "2026-12-03"];

let database: TestDatabase;
let ledger: TestLedger;

beforeAll(async () => {
  database = await createMigratedDatabase();
  await installTestClock(database.url);
  // As PostgreSQL plans it on large tables.
  await runSql(
    database.url,
    `do $$ begin
      execute format('alter database %I set enable_hashjoin = off', current_database());
      execute format('alter database %I set enable_mergejoin = off', current_database());
      execute format('alter database %I set enable_seqscan = off', current_database());
    end $$`,
  );
  ledger = await openLedger(database.url);
});

afterAll(async () => {
  await ledger.close();
  await database.drop();
});

function captureTooMuch(target: PaymentRow): CaptureCommand {
  const nowMs = ledger.databaseClock.now();
  const key = { idempotencyKey: randomUUID(), asked: {}, nowMs };
  const amount = { currencyCode: "EUR", amountMinor: 11n };
  const base = keyedCommand(callAs("admin"), key);
  return { ...base, kind: "capture", target, amount, final: true };
}

// Found by the model: rows of other partitions were lost to a join when one of them had changed.
test("A batch that waits for a payment that changes finds all of its payments, of any month", async () => {
  const held: PaymentRow[] = [];
  for (const day of MONTHS) {
    await travelTo({ url: database.url, ledger }, new Date(`${day}T00:00:00Z`));
    const [debtor, creditor] = [await ledger.openFunded(10n), await ledger.open()];
    const sides = { debtorAccountId: debtor.id, creditorAccountId: creditor.id };
    const hold = { ...sides, amountMinor: 10n, holdDurationMs: 6 * 86_400_000 };
    held.push((await ledger.pay(hold)).payment);
  }
  for (const rival of held) {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    await client.query("begin");
    // As a claim of the scheduler does.
    const claim = "update payment set due_time = due_time - interval '1 ms' where id = $1";
    await client.query(claim, [rival.id]);
    // Refused each, so that the next round finds them as they are.
    const told = ledger.commit(
      held.map((payment) => ({ atomic: false, commands: [captureTooMuch(payment)] })),
    );
    await sleep(200);
    await client.query("commit");
    await client.end();
    const reasons = (await told).flat().map((one) => one.kind === "refused" && one.error.reason);
    expect(reasons).toEqual(held.map(() => "CAPTURE_EXCEEDS_HOLD"));
  }
});
