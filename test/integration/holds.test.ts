import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { AccountStatus } from "../../src/accounts/account.ts";
import { untilEnded } from "../support/changes-by.ts";
import { callAs } from "../support/ledger.ts";
import { refusal, useTwoAccounts } from "../support/two-accounts.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();
const { accounts, by, hold, money } = useTwoAccounts(used);

async function setStatus(accountId: string, status: AccountStatus): Promise<void> {
  const change = { version: undefined, metadata: undefined, overdraftMode: undefined };
  const update = { ...change, overdraftLimitMinor: undefined, accountId, status };
  await used.ledger.updateAccount(callAs("admin"), update);
}

describe("A hold", () => {
  test("reserves the funds, books them when it's captured and is told like any payment", async () => {
    const held = await hold(60n);
    expect(held).toMatchObject({ status: "HELD", sequence: 1, capturedMinor: 0n, reason: null });
    expect(await money()).toEqual([100n, 60n, 0n]);
    // What is held can't be spent.
    expect(await hold(50n)).toMatchObject({ status: "REJECTED", reason: "INSUFFICIENT_FUNDS" });
    const { payment } = await by("bob").capture(held);
    expect(payment).toMatchObject({
      status: "SETTLED",
      sequence: 2,
      capturedMinor: 60n,
      debtorBalanceAfterMinor: 40n,
      creditorBalanceAfterMinor: 60n,
    });
    expect(await money()).toEqual([40n, 0n, 60n]);
  });

  test("releases what the last capture leaves", async () => {
    await by("bob").capture(await hold(60n), 25n);
    expect(await money()).toEqual([75n, 0n, 25n]);
  });

  test("isn't taken back by its debtor's capturing next to nothing", async () => {
    const held = await hold(60n);
    await expect(by("alice").capture(held, 1n)).rejects.toMatchObject(
      refusal("CAPTURE_WOULD_RELEASE"),
    );
    await by("alice").capture(held, 1n, false);
    expect(await money()).toEqual([99n, 59n, 1n]);
    await by("alice").capture(held);
    expect(await money()).toEqual([40n, 0n, 60n]);
  });

  test("is captured in parts until nothing is left", async () => {
    const held = await hold(60n);
    const { payment } = await by("bob").capture(held, 25n, false);
    expect(payment).toMatchObject({ status: "HELD", capturedMinor: 25n });
    expect(await money()).toEqual([75n, 35n, 25n]);
    await expect(by("bob").capture(held, 36n)).rejects.toMatchObject({
      reason: "CAPTURE_EXCEEDS_HOLD",
      metadata: { held_minor: "35" },
    });
    expect((await by("bob").capture(held, 35n, false)).payment.status).toBe("SETTLED");
    expect(await money()).toEqual([40n, 0n, 60n]);
  });

  test("that was captured in part ends settled, and the rest is free", async () => {
    const held = await hold(60n);
    await by("bob").capture(held, 25n, false);
    const { payment } = await by("bob").cancel(held);
    expect(payment).toMatchObject({ status: "SETTLED", capturedMinor: 25n, sequence: 3 });
    expect(await money()).toEqual([75n, 0n, 25n]);
  });

  test("is its creditor's side to cancel, and frees all", async () => {
    const held = await hold(60n);
    await expect(by("alice").cancel(held)).rejects.toMatchObject(refusal("PAYMENT_NOT_FOUND"));
    expect((await by("bob").cancel(held)).payment.status).toBe("CANCELLED");
    expect(await money()).toEqual([100n, 0n, 0n]);
  });

  test("expires by itself, captured in part or not", async () => {
    const [one, two] = [await hold(30n, 1_000), await hold(40n, 1_000)];
    await by("bob").capture(two, 15n, false);
    expect(await untilEnded(used.ledger, one)).toMatchObject({ status: "EXPIRED", sequence: 2 });
    expect(await untilEnded(used.ledger, two)).toMatchObject({
      status: "SETTLED",
      capturedMinor: 15n,
    });
    expect(await money()).toEqual([85n, 0n, 15n]);
  });

  test("refuses a capture from its end on, swept or not", async () => {
    const held = await hold(30n, 1_000);
    await sleep(1_050);
    for (const refused of [by("bob").capture(held), by("bob").cancel(held)]) {
      await expect(refused).rejects.toMatchObject(refusal("PAYMENT_EXPIRED"));
    }
    await untilEnded(used.ledger, held);
    await expect(by("bob").capture(held)).rejects.toMatchObject(refusal("PAYMENT_EXPIRED"));
  });

  test("ends at the payment's own expire_time if that is sooner", async () => {
    const expireTime = new Date(Date.now() + 30_000);
    const sides = { ...accounts, amountMinor: 1n };
    const { payment } = await used.ledger.pay({ ...sides, holdDurationMs: 60_000, expireTime });
    expect(payment.expireTime).toEqual(expireTime);
    await by("bob").cancel(payment);
  });

  test("tells captured, cancelled and expired apart", async () => {
    const captured = await hold(1n);
    await by("bob").capture(captured);
    const cancelled = await hold(1n);
    await by("bob").cancel(cancelled);
    for (const [payment, reason] of [
      [captured, "PAYMENT_ALREADY_CAPTURED"],
      [cancelled, "PAYMENT_ALREADY_CANCELLED"],
    ] as const) {
      await expect(by("bob").capture(payment)).rejects.toMatchObject(refusal(reason));
      await expect(by("bob").cancel(payment)).rejects.toMatchObject(refusal(reason));
    }
  });

  test("stays while an account is frozen, and a frozen one can be freed of it", async () => {
    const held = await hold(60n);
    await setStatus(accounts.debtorAccountId, "FROZEN");
    await expect(by("bob").capture(held)).rejects.toMatchObject({
      reason: "CAPTURE_DECLINED",
      metadata: { payment_reason: "ACCOUNT_FROZEN" },
    });
    expect(await money()).toEqual([100n, 60n, 0n]);
    await by("bob").cancel(held);
    expect(await money()).toEqual([100n, 0n, 0n]);
  });

  test("isn't there for others, and its key is free after a refusal", async () => {
    const held = await hold(60n);
    await expect(by("mallory").capture(held)).rejects.toMatchObject(refusal("PAYMENT_NOT_FOUND"));
    const change = { paymentId: held.id, idempotencyKey: "again", final: true };
    const capture = (amountMinor: bigint) =>
      used.ledger.changePayment.capture(callAs("bob"), {
        ...change,
        amount: { currencyCode: "EUR", amountMinor },
      });
    await expect(capture(61n)).rejects.toMatchObject(refusal("CAPTURE_EXCEEDS_HOLD"));
    const first = await capture(60n);
    const second = await capture(60n);
    expect([first.replayed, second.replayed, second.payment.sequence]).toEqual([false, true, 2]);
    await expect(capture(59n)).rejects.toMatchObject({
      reason: "IDEMPOTENCY_KEY_REUSED",
      metadata: { field: "amount.amount_minor" },
    });
    const cancel = used.ledger.changePayment.cancel(callAs("bob"), change);
    await expect(cancel).rejects.toMatchObject({ metadata: { field: "method" } });
  });

  test("names the field when a hold's key is used with another duration", async () => {
    const request = { ...accounts, amountMinor: 1n, idempotencyKey: "long" };
    const { payment } = await used.ledger.pay({ ...request, holdDurationMs: 60_000 });
    const again = await used.ledger.pay({ ...request, holdDurationMs: 60_000 });
    expect([again.payment.id, again.replayed]).toEqual([payment.id, true]);
    const other = used.ledger.pay({ ...request, holdDurationMs: 61_000 });
    await expect(other).rejects.toMatchObject({ metadata: { field: "hold_duration" } });
    const asPlain = used.ledger.pay(request);
    await expect(asPlain).rejects.toMatchObject({ metadata: { field: "capture_mode" } });
    await by("admin").cancel(payment);
  });

  test("in one batch with its rivals ends once", async () => {
    const held = await hold(60n);
    const tries = [by("bob").capture(held), by("bob").cancel(held), by("alice").capture(held, 1n)];
    const told = await Promise.allSettled(tries);
    expect(told.map(({ status }) => status).toSorted()).toEqual([
      "fulfilled",
      "rejected",
      "rejected",
    ]);
  });
});
