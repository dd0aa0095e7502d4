import { setTimeout as sleep } from "node:timers/promises";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import type { InstantPayment, Payment } from "../../sdk/src/node.ts";
import type { Pay } from "./payment-load.ts";

/** Pays by a client of the SDK. */
export function paySdk(client: InstantPayment): Pay {
  return async ({ amountMinor, ...payment }) => {
    const value = `${amountMinor / 100n}.${String(amountMinor % 100n).padStart(2, "0")}`;
    return toRow(
      await client.createPayment({ ...payment, amount: { value, currencyCode: "EUR" } }),
    );
  };
}

/** The parts of a payment that `expectStored` compares. */
function toRow(payment: Payment): PaymentRow {
  const minor = (value: string | undefined) =>
    value === undefined ? null : BigInt(value.replace(".", ""));
  const row = {
    ...payment,
    amountMinor: minor(payment.amount.value),
    reason: payment.reason ?? null,
    debtorBalanceAfterMinor: minor(payment.debtorBalanceAfter),
    creditorBalanceAfterMinor: minor(payment.creditorBalanceAfter),
  };
  return row as unknown as PaymentRow;
}

/** Asks for balances and opens accounts until it's stopped; failures in lines of text. */
export function startSdkReads(client: InstantPayment, accountIds: readonly string[]) {
  const failures: string[] = [];
  const stopping = new AbortController();
  const done = (async () => {
    for (let i = 0; !stopping.signal.aborted; i++) {
      try {
        await client.getBalance(accountIds[i % accountIds.length]!);
        if (i % 20 === 0) await client.createAccount({ ownerId: "reader", currencyCode: "EUR" });
      } catch (error) {
        failures.push(String(error));
      }
      await sleep(5);
    }
  })();
  const stop = () => {
    stopping.abort();
    return done;
  };
  return { failures, stop };
}
