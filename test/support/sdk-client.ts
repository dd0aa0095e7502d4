import { expect } from "vitest";
import { createInstantPayment, InstantPaymentError, type RetryPolicy } from "../../sdk/src/node.ts";

/** A payment that the fixture takes. */
export const NEW_PAYMENT = {
  debtorAccountId: "0198c0de-0000-7000-8000-000000000001",
  creditorAccountId: "0198c0de-0000-7000-8000-000000000002",
  amount: { value: "12.50", currencyCode: "EUR" },
};

/** A client that gives an attempt 500 ms and hardly waits between two. */
export function createHastyClient(
  baseUrl: string,
  options: { readonly timeoutMs?: number; readonly retry?: RetryPolicy } = {},
) {
  const retry = { initialBackoffMs: 1, maxBackoffMs: 5, attemptTimeoutMs: 500, ...options.retry };
  return createInstantPayment({
    baseUrl,
    apiKey: "ip_secret",
    timeoutMs: 10_000,
    ...options,
    retry,
  });
}

/** The error that a call fails with; a test fails if it doesn't or if it's another kind. */
export async function failureOf(call: Promise<unknown>): Promise<InstantPaymentError> {
  const error: unknown = await call.then(
    () => expect.unreachable("the call should have failed"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof InstantPaymentError)) throw error;
  return error;
}
