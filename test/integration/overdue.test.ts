import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { createDueMetrics, createMetrics } from "../../src/platform/metrics.ts";
import { findOverdue } from "../../src/scheduler/due-payments.ts";
import { runSql } from "../support/sql.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();

test("what is due and not done is counted and aged, claimed or not, until it's done", async () => {
  const { registry, ...metrics } = createMetrics();
  createDueMetrics({ registry, ...metrics }, () => findOverdue(used.ledger.database));
  const overdue = async () => {
    const text = await registry.metrics();
    const read = (name: string) => new RegExp(`^instant_payment_due_${name} (.*)$`, "m");
    return [read("payments"), read("oldest_seconds")].map((one) => Number(one.exec(text)?.[1]));
  };
  const { id: debtorAccountId } = await used.ledger.openFunded(100n);
  const { id: creditorAccountId } = await used.ledger.open({ ownerId: "bob" });
  const { id: poor } = await used.ledger.open();
  const retryPolicy = { maxAttempts: 2, initialBackoffMs: 50, maxBackoffMs: 50 };
  const sides = { debtorAccountId, creditorAccountId, amountMinor: 1n };
  await used.ledger.pay({ ...sides, holdDurationMs: 60_000 });
  expect(await overdue()).toEqual([0, 0]);
  await used.ledger.pay({ ...sides, debtorAccountId: poor, retryPolicy });
  await used.ledger.pay({ ...sides, holdDurationMs: 100 });
  await sleep(400);
  // As somebody who claims them does, and dies.
  await runSql(used.url, "update payment set due_time = now() + '400 ms' where due_time < now()");
  const [payments, oldestSeconds] = await overdue();
  expect(payments).toBe(2);
  expect(oldestSeconds).toBeGreaterThan(0.3);
  expect(oldestSeconds).toBeLessThan(30);
  await runSql(used.url, "update payment set due_time = now() where due_time < now() + '2 s'");
  await used.ledger.runAllDue();
  expect(await overdue()).toEqual([0, 0]);
});
