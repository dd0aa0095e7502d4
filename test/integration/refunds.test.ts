import { beforeEach, describe, expect, test } from "vitest";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import { changesBy } from "../support/changes-by.ts";
import { callAs } from "../support/ledger.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();
let debtorAccountId: string;
let creditorAccountId: string;

beforeEach(async () => {
  debtorAccountId = (await used.ledger.openFunded(100n)).id;
  creditorAccountId = (await used.ledger.open({ ownerId: "bob" })).id;
});

async function hold(amountMinor: bigint, holdDurationMs = 60_000): Promise<PaymentRow> {
  const sides = { debtorAccountId, creditorAccountId };
  return (await used.ledger.pay({ ...sides, amountMinor, holdDurationMs }, callAs("alice")))
    .payment;
}

const by = (ownerId: string) => changesBy(used.ledger, ownerId);

/** Posted and held of the debtor's account, posted of the creditor's. */
async function money(): Promise<bigint[]> {
  const debtor = await used.ledger.account(debtorAccountId);
  const creditor = await used.ledger.account(creditorAccountId);
  return [debtor.postedMinor, debtor.heldMinor, creditor.postedMinor];
}

const refusal = (reason: string) => ({ reason });

describe("A refund", () => {
  async function paid(amountMinor: bigint): Promise<PaymentRow> {
    const sides = { debtorAccountId, creditorAccountId };
    return (await used.ledger.pay({ ...sides, amountMinor })).payment;
  }

  test("goes back in parts, each a payment of its own, up to what was captured", async () => {
    const payment = await paid(60n);
    const { payment: refund } = await by("bob").refund(payment, 25n);
    expect(refund).toMatchObject({
      status: "SETTLED",
      refundOfPaymentId: payment.id,
      debtorAccountId: creditorAccountId,
      creditorAccountId: debtorAccountId,
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
    const back = { debtorAccountId: creditorAccountId, creditorAccountId: debtorAccountId };
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
