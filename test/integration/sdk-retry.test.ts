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

describe("The SDK sends the same again", () => {
  test.each<[string, Misbehaviour]>([
    ["the connection is cut after the commit", "cut after commit"],
    ["the connection is cut before the commit", "cut before commit"],
    ["an attempt has no answer in its time", "hang"],
    ["a proxy answers 502", { status: 502 }],
    ["a proxy answers 500", { status: 500 }],
    ["a load balancer has nobody, 503", { status: 503 }],
    ["a load balancer waited too long, 504", { status: 504 }],
    ["a proxy answers a page with 200", { status: 200 }],
    ["the service's time ran out", serviceError(Code.DeadlineExceeded, "DEADLINE_EXCEEDED")],
    ["the service is overloaded and says when", OVERLOADED(5)],
    ["it's unavailable", serviceError(Code.Unavailable, "UNAVAILABLE", { retryAfterMs: 5 })],
    ["an internal error carries RetryInfo", serviceError(Code.Internal, "X", { retryAfterMs: 5 })],
  ])("when %s, and money moves once", async (_when, misbehaviour) => {
    fixture.script.push(misbehaviour, misbehaviour);
    const payment = await connect().createPayment(NEW_PAYMENT);
    expect(payment).toMatchObject({ status: "SETTLED", amount: NEW_PAYMENT.amount });
    expect([...fixture.payments.keys()]).toEqual([payment.idempotencyKey]);
    expect(payment.idempotencyKey).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  });

  test("with the same key each time, and with a new one for a new payment", async () => {
    fixture.script.push("cut after commit", { status: 503 });
    const client = connect();
    const first = await client.createPayment(NEW_PAYMENT);
    const second = await client.createPayment(NEW_PAYMENT);
    expect(first.replayed).toBe(true);
    expect(second.replayed).toBe(false);
    const keys = fixture.received.map(({ message }) => message).map((m) => JSON.stringify(m, big));
    expect(keys[0]).toContain(first.idempotencyKey);
    expect(keys[1]).toBe(keys[0]);
    expect(fixture.payments.size).toBe(2);
  });

  test("with the key that the caller gave", async () => {
    fixture.script.push("cut after commit");
    await connect().createPayment({ ...NEW_PAYMENT, idempotencyKey: "order 17" });
    expect([...fixture.payments.keys()]).toEqual(["order 17"]);
  });

  test("when nothing listens, and says after the last attempt what's open", async () => {
    await fixture.close();
    const error = await failureOf(connect().createPayment(NEW_PAYMENT));
    expect(error).toMatchObject({ reason: "UNAVAILABLE", attempts: 4, outcomeUnknown: true });
    expect(error.message).toContain("ECONNREFUSED");
    fixture = await startPaymentFixture();
  });

  test("not before RetryInfo says", async () => {
    fixture.script.push(OVERLOADED(300));
    const startMs = performance.now();
    await connect().createPayment(NEW_PAYMENT);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(299);
  });

  test("not at all if RetryInfo is beyond the call's time-out", async () => {
    fixture.script.push(OVERLOADED(900));
    const error = await failureOf(connect({ timeoutMs: 800 }).createPayment(NEW_PAYMENT));
    expect(error).toMatchObject({ reason: "OVERLOADED", retryAfterMs: 900, attempts: 1 });
    expect(error.outcomeUnknown).toBe(false);
  });

  test("as often as it's told to and no more", async () => {
    fixture.script.push(...Array.from({ length: 9 }, () => OVERLOADED(1)));
    const error = await failureOf(
      connect({ retry: { maxAttempts: 3 } }).createPayment(NEW_PAYMENT),
    );
    expect(error.attempts).toBe(3);
    expect(fixture.received).toHaveLength(3);
  });
});

const big = (_key: string, value: unknown) => (typeof value === "bigint" ? `${value}` : value);

describe("The SDK sends once", () => {
  test.each<[Code, string]>([
    [Code.InvalidArgument, "INVALID_FIELD"],
    [Code.AlreadyExists, "IDEMPOTENCY_KEY_REUSED"],
    [Code.NotFound, "ACCOUNT_NOT_FOUND"],
    [Code.PermissionDenied, "MISSING_SCOPE"],
    [Code.Unauthenticated, "MISSING_CREDENTIALS"],
    [Code.FailedPrecondition, "ACCOUNT_STATE_FORBIDS"],
    [Code.Aborted, "ACCOUNT_VERSION_MISMATCH"],
    [Code.ResourceExhausted, "REQUEST_TOO_LARGE"],
  ])("what is refused with %s %s, and nothing is open", async (code, reason) => {
    fixture.script.push(serviceError(code, reason, { field: "amount", requestId: "r-1" }));
    const error = await failureOf(connect().createPayment(NEW_PAYMENT));
    expect(error).toMatchObject({
      name: "InstantPaymentError",
      message: `It is ${reason}.`,
      reason,
      violations: [{ field: "amount", description: "is wrong" }],
      requestId: "r-1",
      attempts: 1,
      outcomeUnknown: false,
    });
    expect(fixture.received).toHaveLength(1);
  });

  test("what fails inside the service without RetryInfo; that leaves the outcome open", async () => {
    fixture.script.push(serviceError(Code.Internal, "INTERNAL"));
    const error = await failureOf(connect().createPayment(NEW_PAYMENT));
    expect(error).toMatchObject({ reason: "INTERNAL", attempts: 1, outcomeUnknown: true });
  });

  test.each([
    [401, "UNAUTHENTICATED", "unauthenticated"],
    [403, "PERMISSION_DENIED", "permission_denied"],
  ])("what another server answers with %i", async (status, reason, code) => {
    fixture.script.push({ status });
    const error = await failureOf(connect().createPayment(NEW_PAYMENT));
    expect(error).toMatchObject({ reason, code, attempts: 1, outcomeUnknown: false });
  });

  test.each([404, 405])("where nothing is at the path, %i, and says so", async (status) => {
    fixture.script.push({ status });
    const error = await failureOf(connect().createPayment(NEW_PAYMENT));
    expect(error).toMatchObject({ reason: "UNIMPLEMENTED", attempts: 1, outcomeUnknown: false });
    expect(error.message).toMatch(/^baseUrl doesn't seem to be the service's API.*: HTTP 40/);
    fixture.script.push({ status });
    const watch = connect().watchPayment("p")[Symbol.asyncIterator]();
    expect(await failureOf(watch.next())).toMatchObject({ reason: "UNIMPLEMENTED", attempts: 1 });
  });

  test("where nobody speaks TLS, and says so", async () => {
    const client = createHastyClient(fixture.baseUrl.replace("http:", "https:"));
    const error = await failureOf(client.createPayment(NEW_PAYMENT));
    expect(error).toMatchObject({ reason: "UNAVAILABLE", attempts: 1, outcomeUnknown: true });
    expect(error.message).toMatch(/^baseUrl begins with https, but what answers there doesn't/);
  });

  test("nothing at all if a field can't be right", async () => {
    const client = connect();
    const amount = { value: "12.505", currencyCode: "EUR" };
    const error = await failureOf(client.createPayment({ ...NEW_PAYMENT, amount }));
    expect(error).toMatchObject({ reason: "INVALID_FIELD", attempts: 0, outcomeUnknown: false });
    expect(error.violations.map(({ field }) => field)).toEqual(["amount.value"]);
    expect(() => client.listPayments({ pageSize: 1.5 })).toThrow(
      "pageSize can't be sent: invalid int32: 1.5",
    );
    expect(() => client.listPayments({ startTime: new Date("x") })).toThrow(/startTime/);
    expect(fixture.received).toEqual([]);
  });
});

describe("The SDK tells what it doesn't know", () => {
  test("a lost answer stays open when the retries are used up by other refusals", async () => {
    fixture.script.push("cut after commit", OVERLOADED());
    const error = await failureOf(connect().createPayment(NEW_PAYMENT));
    expect(error).toMatchObject({ reason: "OVERLOADED", attempts: 2, outcomeUnknown: true });
    const again = await connect().createPayment({
      ...NEW_PAYMENT,
      ...(error.idempotencyKey && { idempotencyKey: error.idempotencyKey }),
    });
    expect(again).toMatchObject({ status: "SETTLED", replayed: true });
    expect(fixture.payments.size).toBe(1);
  });

  test("a lost answer stays open when somebody else answers after it", async () => {
    fixture.script.push("cut after commit", { status: 405 });
    const error = await failureOf(connect().createPayment(NEW_PAYMENT));
    expect(error).toMatchObject({ reason: "UNIMPLEMENTED", attempts: 2, outcomeUnknown: true });
    expect(fixture.payments.size).toBe(1);
  });

  test("a verdict on the request closes what was open", async () => {
    fixture.script.push("cut before commit", serviceError(Code.AlreadyExists, "X"));
    const error = await failureOf(connect().createPayment(NEW_PAYMENT));
    expect(error).toMatchObject({ attempts: 2, outcomeUnknown: false });
  });

  test("nothing is open after reads and dry runs", async () => {
    fixture.script.push({ status: 502 }, { status: 502 });
    const client = connect({ retry: { maxAttempts: 1 } });
    expect(await failureOf(client.getPayment("p"))).toMatchObject({ outcomeUnknown: false });
    expect(
      await failureOf(client.createPayment({ ...NEW_PAYMENT, validateOnly: true })),
    ).toMatchObject({
      outcomeUnknown: false,
    });
  });
});
