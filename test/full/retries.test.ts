import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PaymentEntity, type PaymentRow } from "../../src/payments/payment.entity.ts";
import { expectInvariants } from "../support/invariants.ts";
import { createMigratedDatabase, openLedger, type TestLedger } from "../support/ledger.ts";
import type { TestDatabase } from "../support/postgres.ts";
import { startInstance, type ServiceInstance } from "../support/service-instance.ts";
import { runSql } from "../support/sql.ts";
import { installTestClock } from "../support/test-clock.ts";

const PAYMENTS = 10_000;
const PAYERS = 100;
const AMOUNT_MINOR = 10n;
const LIFE_MS = 40_000;
const KILLS = 9;

let database: TestDatabase;
let ledger: TestLedger;
let schedulers: ServiceInstance[] = [];

const startScheduler = () => startInstance(database.url, { ROLES: "scheduler" });

beforeEach(async () => {
  database = await createMigratedDatabase();
  await installTestClock(database.url);
  ledger = await openLedger(database.url);
  schedulers = await Promise.all([1, 2, 3].map(startScheduler));
}, 120_000);

afterEach(async () => {
  await Promise.all(schedulers.map((scheduler) => scheduler.kill()));
  await ledger.close();
  await database.drop();
});

/** One after the other, so that the other two are there. */
async function killSchedulers(): Promise<void> {
  for (let kill = 0; kill < KILLS; kill++) {
    const which = kill % schedulers.length;
    await schedulers[which]!.kill();
    schedulers[which] = await startScheduler();
  }
}

/** Forwards, and back by as much, as a clock that is set by hand does. */
async function jumpTheClock(): Promise<void> {
  for (const by of ["3 s", "-3 s", "-2 s", "2 s"]) {
    await sleep(3_000);
    await runSql(database.url, `update test_clock.shift set by = by + interval '${by}'`);
  }
}

/** All that they owe for the first half of the payers, in pieces; nothing for the others. */
async function fund(bank: string, payers: readonly string[]): Promise<void> {
  const owedMinor = (BigInt(PAYMENTS) / BigInt(PAYERS)) * AMOUNT_MINOR;
  for (let piece = 0; piece < 10; piece++) {
    await sleep(1_000);
    const amountMinor = owedMinor / 10n;
    const funded = payers
      .slice(0, PAYERS / 2)
      .map((creditorAccountId) =>
        ledger.pay({ debtorAccountId: bank, creditorAccountId, amountMinor }),
      );
    await Promise.all(funded);
  }
}

async function untilAllEnded(): Promise<void> {
  const open = { status: { $in: ["PENDING" as const, "HELD" as const] } };
  while ((await ledger.orm.em.fork().count(PaymentEntity, open)) > 0) await sleep(200);
}

/** The failures of a payment, then how it ended. */
function expectStory(payment: PaymentRow): void {
  const attempts = payment.attempts!;
  const failures = payment.status === "SETTLED" ? attempts.slice(0, -1) : attempts;
  expect(failures.map(({ reason }) => reason)).toEqual(failures.map(() => "INSUFFICIENT_FUNDS"));
  // One event for each attempt; that its time was up is one more.
  expect(payment.sequence).toBe(attempts.length + (payment.status === "EXPIRED" ? 1 : 0));
  for (const [i, { nextTime }] of attempts.slice(0, -1).entries()) {
    expect(Date.parse(attempts[i + 1]!.time)).toBeGreaterThanOrEqual(Date.parse(nextTime!));
  }
  if (payment.status !== "EXPIRED") return;
  const lateMs = payment.updateTime.getTime() - payment.expireTime!.getTime();
  expect(lateMs).toBeGreaterThanOrEqual(0);
  // Within a second, three times as much under load; the clock itself jumps by three.
  expect(lateMs).toBeLessThan(6_000);
}

test(
  "10,000 payments without funds settle once when there are some or end by their deadline",
  { timeout: 240_000 },
  async () => {
    const bank = await ledger.open({ ownerId: "bank", overdraftMode: "UNBOUNDED" });
    const payers: string[] = [];
    for (let i = 0; i < PAYERS; i++) payers.push((await ledger.open()).id);
    const expireTime = new Date(ledger.databaseClock.now() + LIFE_MS);
    const retryPolicy = { maxAttempts: 20, initialBackoffMs: 500, maxBackoffMs: 8_000 };
    const made = await Promise.all(
      Array.from({ length: PAYMENTS }, (_, i) =>
        ledger.pay({
          debtorAccountId: payers[i % PAYERS]!,
          creditorAccountId: bank.id,
          amountMinor: AMOUNT_MINOR,
          retryPolicy,
          expireTime,
        }),
      ),
    );
    expect(new Set(made.map(({ payment }) => payment.status))).toEqual(new Set(["PENDING"]));
    await Promise.all([fund(bank.id, payers), killSchedulers(), jumpTheClock()]);
    await untilAllEnded();

    const payments = await ledger.orm.em.fork().find(PaymentEntity, { retryPolicy: { $ne: null } });
    expect(payments).toHaveLength(PAYMENTS);
    const ended = Map.groupBy(payments, ({ status }) => status);
    expect(ended.get("SETTLED")).toHaveLength(PAYMENTS / 2);
    expect(ended.get("EXPIRED")).toHaveLength(PAYMENTS / 2);
    for (const payment of payments) expectStory(payment);
    expect(Math.max(...payments.map(({ attempts }) => attempts!.length))).toBeGreaterThan(3);
    for (const id of payers) expect((await ledger.account(id)).postedMinor).toBe(0n);
    expect((await ledger.verify()).findings).toEqual([]);
    await expectInvariants(database.url);
  },
);
