import { randomInt, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import type { InstantPayment, InstantPaymentError, Payment } from "../../sdk/src/node.ts";

/** Payments that are being made by the SDK. */
export interface SdkLoad {
  /** What callers were told. */
  readonly answers: readonly PaymentRow[];
  /** Calls that failed, with their keys. */
  readonly failures: readonly SdkFailure[];
  /** The longest that a call took, in milliseconds. */
  readonly slowestMs: number;
  /** Resolves when every call has ended. */
  readonly stop: () => Promise<void>;
}

/** A call that failed. */
export interface SdkFailure {
  readonly idempotencyKey: string;
  readonly error: InstantPaymentError;
}

/** Who pays whom, as in the bench: any account any other, or one account on every payment's side. */
export type Pattern = "uniform" | "hot-debtor" | "hot-creditor";

/** What to pay. */
export interface SdkLoadOptions {
  readonly client: InstantPayment;
  readonly accountIds: readonly string[];
  readonly callers: number;
  /** How long a caller waits before its next call, in milliseconds. Default 0. */
  readonly pauseMs?: number;
  /** Of a call: asked each time. */
  readonly pattern: () => Pattern;
}

const AFTER_FAILURE_MS = 20;

/** Pays in closed loop: each caller sends its next payment when the last one is answered. */
export function startSdkLoad(options: SdkLoadOptions): SdkLoad {
  const { client, accountIds, callers, pauseMs = 0, pattern } = options;
  const answers: PaymentRow[] = [];
  const failures: SdkFailure[] = [];
  const stopping = new AbortController();
  let slowestMs = 0;

  async function keepPaying(): Promise<void> {
    while (!stopping.signal.aborted) {
      const idempotencyKey = randomUUID();
      const startMs = performance.now();
      try {
        const amount = { value: `0.${randomInt(10, 100)}`, currencyCode: "EUR" };
        const sides = sidesFor(pattern(), accountIds);
        answers.push(toRow(await client.createPayment({ idempotencyKey, amount, ...sides })));
        slowestMs = Math.max(slowestMs, performance.now() - startMs);
        if (pauseMs > 0) await sleep(pauseMs);
      } catch (error) {
        failures.push({ idempotencyKey, error: error as InstantPaymentError });
        await sleep(AFTER_FAILURE_MS);
      }
    }
  }

  const done = Promise.all(Array.from({ length: callers }, keepPaying));
  return {
    answers,
    failures,
    get slowestMs() {
      return slowestMs;
    },
    async stop() {
      stopping.abort();
      await done;
    },
  };
}

/** The first account is the hot one. */
function sidesFor(pattern: Pattern, ids: readonly string[]) {
  const debtor =
    pattern === "hot-debtor" ? 0 : randomInt(pattern === "uniform" ? 0 : 1, ids.length);
  const other = (debtor + 1 + randomInt(ids.length - 1)) % ids.length;
  const creditor = pattern === "hot-creditor" ? 0 : other;
  return { debtorAccountId: ids[debtor]!, creditorAccountId: ids[creditor]! };
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
