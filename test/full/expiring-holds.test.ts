import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { PaymentEntity } from "../../src/payments/payment.entity.ts";
import { createLogger } from "../../src/platform/logger.ts";
import { createMetrics } from "../../src/platform/metrics.ts";
import { startDueJob } from "../../src/scheduler/due-job.ts";
import { changesBy } from "../support/changes-by.ts";
import { openLedger } from "../support/ledger.ts";
import { useLedger } from "../support/use-ledger.ts";

const HOLDS = 1_000;
const AMOUNT_MINOR = 10n;
const LIFE_MS = 10_000;
/** Captures and cancels come this long before and after the end. */
const AROUND_MS = 1_500;

const used = useLedger({ lanes: 2 });

test("1,000 holds that expire at once while they are captured and cancelled end once each", async () => {
  const { ledger } = used;
  const other = await openLedger(used.url, { lanes: 2 });
  const debtor = await ledger.openFunded(BigInt(HOLDS) * AMOUNT_MINOR);
  const creditor = await ledger.open({ ownerId: "bob" });
  const expireTime = new Date(ledger.databaseClock.now() + LIFE_MS);
  const sides = { debtorAccountId: debtor.id, creditorAccountId: creditor.id };
  const holds = await Promise.all(
    Array.from({ length: HOLDS }, () =>
      ledger.pay({ ...sides, amountMinor: AMOUNT_MINOR, holdDurationMs: 60_000, expireTime }),
    ),
  );
  const logger = createLogger("fatal");
  const jobs = [ledger, other].map((one) =>
    startDueJob(one.runDuePayments, { database: one.database, logger, metrics: createMetrics() }),
  );

  const told = await Promise.allSettled(
    holds.flatMap(({ payment }, i) =>
      ["capture" as const, "cancel" as const].map(async (what) => {
        const atMs = expireTime.getTime() - AROUND_MS + randomInt(2 * AROUND_MS);
        await sleep(Math.max(0, atMs - ledger.databaseClock.now()));
        const by = changesBy(i % 2 === 0 ? ledger : other, "bob");
        return (await by[what](payment)).payment;
      }),
    ),
  );
  const isOpen = { status: "HELD" as const };
  while ((await ledger.orm.em.fork().count(PaymentEntity, isOpen)) > 0) await sleep(20);
  await Promise.all(jobs.map((end) => end()));
  await other.close();

  const done = told.filter((one) => one.status === "fulfilled").map((one) => one.value);
  expect(new Set(done.map(({ id }) => id)).size).toBe(done.length);
  const stored = await ledger.orm.em.fork().find(PaymentEntity, { holdDurationMs: 60_000 });
  const ended = Map.groupBy(stored, ({ status }) => status);
  const count = (status: "SETTLED" | "CANCELLED" | "EXPIRED") => ended.get(status)?.length ?? 0;
  // The race was one: some of each.
  expect(Math.min(count("SETTLED"), count("CANCELLED"), count("EXPIRED"))).toBeGreaterThan(20);
  expect(done).toHaveLength(count("SETTLED") + count("CANCELLED"));
  expect(done.length + count("EXPIRED")).toBe(HOLDS);
  expect(stored.every(({ sequence }) => sequence === 2)).toBe(true);
  for (const { updateTime } of ended.get("EXPIRED")!) {
    // Within a second, three times as much under load.
    expect(updateTime.getTime() - expireTime.getTime()).toBeLessThan(3_000);
  }
  const paidMinor = BigInt(count("SETTLED")) * AMOUNT_MINOR;
  const fundsMinor = BigInt(HOLDS) * AMOUNT_MINOR;
  expect(await ledger.account(debtor.id)).toMatchObject({
    postedMinor: fundsMinor - paidMinor,
    heldMinor: 0n,
  });
  expect((await ledger.account(creditor.id)).postedMinor).toBe(paidMinor);
}, 60_000);
