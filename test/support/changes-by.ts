import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import { callAs, type TestLedger } from "./ledger.ts";

/** Changes of payments by an owner, each under a new key. */
export function changesBy(ledger: TestLedger, ownerId: string) {
  const change = (payment: PaymentRow) => ({ paymentId: payment.id, idempotencyKey: randomUUID() });
  const amountOf = (amountMinor?: bigint) =>
    amountMinor === undefined ? undefined : { currencyCode: "EUR", amountMinor };
  const { changePayment } = ledger;
  return {
    capture: (payment: PaymentRow, amountMinor?: bigint, final = true) =>
      changePayment.capture(callAs(ownerId), {
        ...change(payment),
        amount: amountOf(amountMinor),
        final,
      }),
    retry: (payment: PaymentRow) => changePayment.retry(callAs(ownerId), change(payment)),
    cancel: (payment: PaymentRow) => changePayment.cancel(callAs(ownerId), change(payment)),
    refund: (payment: PaymentRow, amountMinor?: bigint) =>
      changePayment.refund(callAs(ownerId), {
        ...change(payment),
        amount: amountOf(amountMinor),
        remittanceInformation: "",
      }),
  };
}

/** Lets the scheduler do what is due until the payment has ended. */
export async function untilEnded(ledger: TestLedger, payment: PaymentRow): Promise<PaymentRow> {
  for (;;) {
    await ledger.runAllDue();
    const seen = await ledger.findPayment.get(callAs("admin"), payment.id);
    if (seen.payment.dueTime === null) return seen.payment;
    await sleep(20);
  }
}
