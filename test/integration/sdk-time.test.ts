import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type Misbehaviour,
  type PaymentFixture,
  serviceError,
  startPaymentFixture,
} from "../support/payment-fixture.ts";
import { createHastyClient, failureOf, NEW_PAYMENT } from "../support/sdk-client.ts";

const OVERLOADED = (retryAfterMs?: number) =>
  serviceError(Code.ResourceExhausted, "OVERLOADED", retryAfterMs ? { retryAfterMs } : {});

let fixture: PaymentFixture;
beforeEach(async () => {
  fixture = await startPaymentFixture();
});
afterEach(() => fixture.close());

const connect = (options?: Parameters<typeof createHastyClient>[1]) =>
  createHastyClient(fixture.baseUrl, options);

describe("The caller's time", () => {
  test("bounds the call with all its retries, and each attempt is told what's left", async () => {
    fixture.script.push("hang", "hang", "hang", "hang");
    const startMs = performance.now();
    const error = await failureOf(connect().createPayment(NEW_PAYMENT, { timeoutMs: 1_200 }));
    expect(performance.now() - startMs).toBeLessThan(3_000);
    expect(error).toMatchObject({ reason: "DEADLINE_EXCEEDED", outcomeUnknown: true });
    const times = fixture.received.map(({ timeoutMs }) => timeoutMs);
    expect(times.slice(0, 2)).toEqual([500, 500]);
    expect(times[2]).toBeLessThan(250);
    expect(times).toHaveLength(3);
  });

  test.each(["hang", OVERLOADED(5_000)] satisfies Misbehaviour[])(
    "ends at once by a signal, in an attempt and between two",
    async (misbehaviour) => {
      fixture.script.push(misbehaviour);
      const abort = new AbortController();
      const call = connect({ retry: { attemptTimeoutMs: 5_000 } }).createPayment(NEW_PAYMENT, {
        signal: abort.signal,
      });
      setTimeout(() => abort.abort(new Error("the user left")), 600);
      const startMs = performance.now();
      const error = await failureOf(call);
      expect(performance.now() - startMs).toBeLessThan(3_000);
      expect(error).toMatchObject({ reason: "CANCELLED", code: "canceled", attempts: 1 });
      expect(error.cause).toMatchObject({ message: "the user left" });
      expect(error.outcomeUnknown).toBe(misbehaviour === "hang");
    },
  );

  test("sends nothing once the signal is given", async () => {
    const error = await failureOf(
      connect().createPayment(NEW_PAYMENT, { signal: AbortSignal.abort() }),
    );
    expect(error).toMatchObject({ reason: "CANCELLED", attempts: 0, outcomeUnknown: false });
    expect(fixture.received).toEqual([]);
  });

  test.each([0, -1, 1.5, Number.NaN, 2 ** 31])("can't be %d milliseconds", async (timeoutMs) => {
    const error = await failureOf(connect().createPayment(NEW_PAYMENT, { timeoutMs }));
    expect(error).toMatchObject({ reason: "INVALID_FIELD", attempts: 0 });
    expect(() => connect({ timeoutMs })).toThrow(/timeoutMs must be a whole number/);
  });
});

test("The key is sent with each call, the generated clients' too", async () => {
  const client = connect();
  await client.createPayment(NEW_PAYMENT);
  await client.raw.payments.createPayment({ idempotencyKey: "k", amount: { amountMinor: 1n } });
  expect(fixture.received.map(({ authorization }) => authorization)).toEqual([
    "Bearer ip_secret",
    "Bearer ip_secret",
  ]);
});
