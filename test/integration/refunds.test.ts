import { describe, expect, test } from "vitest";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import { callAs } from "../support/ledger.ts";
import { refusal, useTwoAccounts } from "../support/two-accounts.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();
const { accounts, by, hold, money } = useTwoAccounts(used);

describe("A refund", () => {
  async function paid(amountMinor: bigint): Promise<PaymentRow> {
    return (await used.ledger.pay({ ...accounts, amountMinor })).payment;
  }

  test("goes back in parts, each a payment of its own, up to what was captured", async () => {
    const payment = await paid(60n);
    const { payment: refund } = await by("bob").refund(payment, 25n);
    expect(refund).toMatchObject({
      status: "SETTLED",
      refundOfPaymentId: payment.id,
      debtorAccountId: accounts.creditorAccountId,
      creditorAccountId: accounts.debtorAccountId,
    });
    await expect(by("bob").refund(payment, 36n)).rejects.toMatchObject({
      reason: "REFUND_EXCEEDS_CAPTURED",
      metadata: { refundable_minor: "35" },
    });
    expect((await by("bob").refund(payment)).payment.amountMinor).toBe(35n);
    await expect(by("bob").refund(payment)).rejects.toMatchObject(
      refusal("REFUND_EXCEEDS_CAPTURED"),
    );
    await expect(by("alice").refund(refund)).rejects.toMatchObject(refusal("PAYMENT_IS_REFUND"));
    expect(await money()).toEqual([100n, 0n, 0n]);
    const { payment: now } = await used.ledger.findPayment.get(callAs("alice"), payment.id);
    expect(now).toMatchObject({ status: "SETTLED", refundedMinor: 60n, sequence: 3 });
  });

  test("isn't the debtor's side to make, nor for what was never captured", async () => {
    const payment = await paid(10n);
    await expect(by("alice").refund(payment)).rejects.toMatchObject(refusal("PAYMENT_NOT_FOUND"));
    const held = await hold(10n);
    await expect(by("bob").refund(held)).rejects.toMatchObject(refusal("PAYMENT_NOT_CAPTURED"));
    await by("bob").capture(held, 4n, false);
    expect((await by("bob").refund(held)).payment.amountMinor).toBe(4n);
    await by("bob").cancel(held);
  });

  test("without funds is a rejected payment and leaves the original as it is", async () => {
    const payment = await paid(60n);
    const back = {
      debtorAccountId: accounts.creditorAccountId,
      creditorAccountId: accounts.debtorAccountId,
    };
    await used.ledger.pay({ ...back, amountMinor: 50n });
    const { payment: refund } = await by("bob").refund(payment, 20n);
    expect(refund).toMatchObject({ status: "REJECTED", reason: "INSUFFICIENT_FUNDS" });
    const { payment: now } = await used.ledger.findPayment.get(callAs("bob"), payment.id);
    expect([now.refundedMinor, now.sequence]).toEqual([0n, 1]);
  });

  test("never exceeds what was captured, however many come at once", async () => {
    const payment = await paid(100n);
    const refunds = Array.from({ length: 50 }, () => by("bob").refund(payment, 7n));
    const told = await Promise.allSettled(refunds);
    expect(told.filter(({ status }) => status === "fulfilled")).toHaveLength(14);
    expect(await money()).toEqual([98n, 0n, 2n]);
  });

  test("in another currency is refused, naming the field", async () => {
    const payment = await paid(10n);
    const request = { paymentId: payment.id, idempotencyKey: "usd", remittanceInformation: "" };
    const amount = { currencyCode: "USD", amountMinor: 1n };
    await expect(
      used.ledger.changePayment.refund(callAs("bob"), { ...request, amount }),
    ).rejects.toMatchObject({ violations: [{ field: "amount.currency_code" }] });
  });
});
