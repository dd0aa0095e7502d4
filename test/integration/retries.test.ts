import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import { attemptWaitMs } from "../../src/payments/retry-schedule.ts";
import { changesBy, untilEnded } from "../support/changes-by.ts";
import { callAs, type TestPayment } from "../support/ledger.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();
let bank: string;
let debtorAccountId: string;
let creditorAccountId: string;

beforeEach(async () => {
  bank = (await used.ledger.open({ ownerId: "bank", overdraftMode: "UNBOUNDED" })).id;
  debtorAccountId = (await used.ledger.open()).id;
  creditorAccountId = (await used.ledger.open({ ownerId: "bob" })).id;
});

const policy = { maxAttempts: 5, initialBackoffMs: 50, maxBackoffMs: 100 };

async function pay(changes: Partial<TestPayment> = {}): Promise<PaymentRow> {
  const sides = { debtorAccountId, creditorAccountId, amountMinor: 10n };
  const request = { ...sides, retryPolicy: policy, ...changes };
  return (await used.ledger.pay(request, callAs("alice"))).payment;
}

async function fund(amountMinor: bigint): Promise<void> {
  const sides = { debtorAccountId: bank, creditorAccountId: debtorAccountId };
  await used.ledger.pay({ ...sides, amountMinor });
}

const reasons = (payment: PaymentRow) => payment.attempts?.map(({ reason }) => reason);

describe("A payment with a retry policy", () => {
  test("is settled at once if it can be, with its one attempt", async () => {
    await fund(10n);
    expect(await pay()).toMatchObject({ status: "SETTLED", attempts: [{ reason: null }] });
  });

  test("waits for funds and settles when there are some", async () => {
    const pending = await pay();
    expect(pending).toMatchObject({ status: "PENDING", reason: "INSUFFICIENT_FUNDS", sequence: 1 });
    await fund(10n);
    const settled = await untilEnded(used.ledger, pending);
    expect(settled).toMatchObject({ status: "SETTLED", reason: null, sequence: 2 });
    expect(reasons(settled)).toEqual(["INSUFFICIENT_FUNDS", null]);
  });

  test("is rejected after its last attempt, each after its wait", async () => {
    const rejected = await untilEnded(used.ledger, await pay());
    expect(rejected).toMatchObject({ status: "REJECTED", reason: "INSUFFICIENT_FUNDS" });
    expect(reasons(rejected)).toEqual(Array(5).fill("INSUFFICIENT_FUNDS"));
    const attempts = rejected.attempts!;
    for (const [i, { nextTime }] of attempts.slice(0, -1).entries()) {
      expect(Date.parse(attempts[i + 1]!.time)).toBeGreaterThanOrEqual(Date.parse(nextTime!));
    }
  });

  test("expires if no attempt is left before its expire_time", async () => {
    const expireTime = new Date(used.ledger.databaseClock.now() + 400);
    const slow = { ...policy, initialBackoffMs: 10_000, maxBackoffMs: 10_000 };
    const pending = await pay({ expireTime, retryPolicy: slow });
    expect(pending.attempts).toMatchObject([{ nextTime: null }]);
    expect(await untilEnded(used.ledger, pending)).toMatchObject({
      status: "EXPIRED",
      reason: "INSUFFICIENT_FUNDS",
    });
  });

  test("is rejected at once for a reason that can't pass", async () => {
    const usd = await pay({ currencyCode: "USD" });
    expect(usd).toMatchObject({ status: "REJECTED", reason: "CURRENCY_MISMATCH", dueTime: null });
  });

  test("is held when there are funds, and is its creditor's to see from then on", async () => {
    const pending = await pay({ holdDurationMs: 60_000 });
    const asBob = () => used.ledger.findPayment.get(callAs("bob"), pending.id);
    await expect(asBob()).rejects.toMatchObject({ reason: "PAYMENT_NOT_FOUND" });
    await expect(changesBy(used.ledger, "bob").capture(pending)).rejects.toMatchObject({
      reason: "PAYMENT_NOT_FOUND",
    });
    await expect(changesBy(used.ledger, "alice").capture(pending)).rejects.toMatchObject({
      reason: "PAYMENT_NOT_HELD",
    });
    await fund(10n);
    const { payment } = await changesBy(used.ledger, "alice").retry(pending);
    expect(payment).toMatchObject({ id: pending.id, status: "HELD", sequence: 2 });
    expect((await asBob()).payment.status).toBe("HELD");
    await changesBy(used.ledger, "bob").cancel(pending);
  });

  test("is its debtor's side to cancel while it's pending, and stays hidden from the other", async () => {
    const pending = await pay();
    const { payment } = await changesBy(used.ledger, "alice").cancel(pending);
    expect(payment).toMatchObject({ status: "CANCELLED", reason: "INSUFFICIENT_FUNDS" });
    const asBob = used.ledger.findPayment.get(callAs("bob"), pending.id);
    await expect(asBob).rejects.toMatchObject({ reason: "PAYMENT_NOT_FOUND" });
  });

  test("isn't for atomic batches", async () => {
    const request = { debtorAccountId, creditorAccountId, amountMinor: 1n, retryPolicy: policy };
    await expect(used.ledger.payTogether([request])).rejects.toMatchObject({
      violations: [{ field: "requests[0].retry_policy" }],
    });
  });

  test("is tried once however many schedulers find it due", async () => {
    const twice = { ...policy, maxAttempts: 2 };
    const tries = Array.from({ length: 50 }, () => pay({ retryPolicy: twice }));
    const pending = await Promise.all(tries);
    await sleep(120);
    await Promise.all(Array.from({ length: 8 }, () => used.ledger.runAllDue()));
    for (const { id } of pending) {
      const { payment } = await used.ledger.findPayment.get(callAs("admin"), id);
      expect([payment.sequence, payment.attempts?.length]).toEqual([2, 2]);
    }
  });
});

describe("Trying a rejected payment again", () => {
  test("makes a new one, linked both ways, and only one", async () => {
    const rejected = await pay({ retryPolicy: null });
    await fund(10n);
    const { payment } = await changesBy(used.ledger, "alice").retry(rejected);
    expect(payment).toMatchObject({ status: "SETTLED", retryOfPaymentId: rejected.id });
    const again = changesBy(used.ledger, "alice").retry(rejected);
    await expect(again).rejects.toMatchObject({
      reason: "PAYMENT_ALREADY_RETRIED",
      metadata: { payment_id: payment.id },
    });
  });

  test("answers the new one again under the same key", async () => {
    const rejected = await pay({ retryPolicy: null });
    const retry = { paymentId: rejected.id, idempotencyKey: `again ${rejected.id}` };
    const first = await used.ledger.changePayment.retry(callAs("alice"), retry);
    const second = await used.ledger.changePayment.retry(callAs("alice"), retry);
    expect([second.payment.id, second.replayed]).toEqual([first.payment.id, true]);
    expect(first.payment.id).not.toBe(rejected.id);
  });
});

test("Waits double up to their limit and spread over half of it", () => {
  const waits = (attempt: number) =>
    Array.from({ length: 1_000 }, (_, i) =>
      attemptWaitMs(`payment ${i}`, attempt, {
        ...policy,
        initialBackoffMs: 1_000,
        maxBackoffMs: 3_000,
      }),
    );
  for (const [attempt, longest] of [
    [1, 1_000],
    [2, 2_000],
    [3, 3_000],
    [20, 3_000],
  ] as const) {
    const all = waits(attempt);
    expect(Math.min(...all)).toBeGreaterThanOrEqual(longest / 2);
    expect(Math.max(...all)).toBeLessThanOrEqual(longest);
    const mean = all.reduce((a, b) => a + b, 0) / all.length;
    expect(mean / longest).toBeCloseTo(0.75, 1);
  }
});
