import { randomUUID } from "node:crypto";
import type { DescMethodUnary } from "@bufbuild/protobuf";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AccountService } from "../../gen/instantpayment/v1/account_service_pb.ts";
import {
  CreatePaymentResponseSchema,
  PaymentService,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { expectError, type Expected } from "../support/expect-error.ts";
import { decode, openPaymentDesk, type PaymentDesk } from "../support/payment-desk.ts";
import { ACCOUNTS, paymentRequest } from "../support/payment-requests.ts";
import { PROTOCOLS, timeoutHeader, type Outcome } from "../support/rpc-protocols.ts";

const DEADLINE_EXCEEDED: Expected = ["deadline_exceeded", 504, "DEADLINE_EXCEEDED"];
const OVERLOADED: Expected = ["resource_exhausted", 429, "OVERLOADED"];
const UNAVAILABLE: Expected = ["unavailable", 503, "UNAVAILABLE"];
const INTERNAL: Expected = ["internal", 500, "INTERNAL"];

const { getAccount, getBalance, listEntries, updateAccount } = AccountService.method;
const { batchCreatePayments, listPayments } = PaymentService.method;

const READS: readonly DescMethodUnary[] = [
  getAccount,
  getBalance,
  listEntries,
  updateAccount,
  listPayments,
];

let desk: PaymentDesk;
let client: Client;
beforeAll(async () => {
  desk = await openPaymentDesk({ COMMIT_MAX_QUEUE: "3" });
  client = new Client({ connectionString: desk.databaseUrl });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await desk.close();
});

function expectComeBack(outcome: Outcome): void {
  expect(outcome.retryAfterMs).toBeGreaterThan(0);
  expect(Number(outcome.headers["retry-after"])).toBeGreaterThan(0);
}

describe.each(PROTOCOLS)("Over $name", (protocol) => {
  describe("while an account is locked for longer than a caller waits", () => {
    beforeEach(async () => {
      await client.query("begin");
      await client.query("select from account where id = $1 for update", [ACCOUNTS.debtor]);
    });

    test("the deadline is told, and later the key tells the truth", async () => {
      const idempotencyKey = randomUUID();
      const startMs = performance.now();
      const late = await desk.pay(protocol, { idempotencyKey }, timeoutHeader(protocol, 300));
      expect(performance.now() - startMs).toBeLessThan(1_300);
      expectError(protocol, late, DEADLINE_EXCEEDED);
      expectComeBack(late);
      await client.query("commit");
      const outcome = await desk.pay(protocol, { idempotencyKey });
      const { payment } = decode(protocol, CreatePaymentResponseSchema, outcome);
      expect(payment?.amount?.amountMinor).toBe(500n);
      await desk.expectExact(500n);
    });
  });

  test("more payments than may wait are refused, and none is made", async () => {
    const requests = Array.from({ length: 4 }, () =>
      paymentRequest({ idempotencyKey: randomUUID() }),
    );
    const batch = { requests, atomic: true };
    const outcome = await desk.call(protocol, batchCreatePayments, batch);
    expectError(protocol, outcome, OVERLOADED);
    expectComeBack(outcome);
    await desk.expectExact();
  });

  describe("while PostgreSQL is away", () => {
    beforeEach(() => desk.proxy.goAway(true));
    afterEach(async () => {
      desk.proxy.goAway(false);
      await desk.expectExact();
    });

    test("a payment is unavailable, and can be made by the same key later", async () => {
      const idempotencyKey = randomUUID();
      const outcome = await desk.pay(protocol, { idempotencyKey }, timeoutHeader(protocol, 9_000));
      expectError(protocol, outcome, UNAVAILABLE);
      expectComeBack(outcome);
      desk.proxy.goAway(false);
      const again = await desk.pay(protocol, { idempotencyKey });
      expect(decode(protocol, CreatePaymentResponseSchema, again).replayed).toBe(false);
      await desk.expectExact(500n);
    });

    test("a dry run is unavailable", async () => {
      expectUnavailable(await desk.pay(protocol, { validateOnly: true }));
    });

    test.each(READS)("$name is unavailable", async (method) => {
      const request = "accountId" in method.input.field ? { accountId: ACCOUNTS.debtor } : {};
      expectUnavailable(await desk.call(protocol, method, request));
    });

    function expectUnavailable(outcome: Outcome): void {
      expectError(protocol, outcome, UNAVAILABLE);
      expectComeBack(outcome);
    }
  });

  describe("when a table is missing, as after a mistake of ours", () => {
    afterEach(async () => {
      await client.query("alter table if exists entry_gone rename to entry");
      await client.query("alter table if exists payment_event_gone rename to payment_event");
    });

    test("a read fails and tells nothing of it", async () => {
      await client.query("alter table entry rename to entry_gone");
      const request = { accountId: ACCOUNTS.debtor };
      const outcome = await desk.call(protocol, listEntries, request);
      expectError(protocol, outcome, INTERNAL);
      expect(outcome.message).toBe("internal error");
      expect(JSON.stringify(outcome)).not.toMatch(/entry|relation|select/i);
    });

    test("a payment fails, moves nothing, and its key is still free", async () => {
      await client.query("alter table payment_event rename to payment_event_gone");
      const idempotencyKey = randomUUID();
      const outcome = await desk.pay(protocol, { idempotencyKey });
      expectError(protocol, outcome, INTERNAL);
      expect(outcome.message).toBe("internal error");
      await client.query("alter table payment_event_gone rename to payment_event");
      await desk.expectExact();
      const again = await desk.pay(protocol, { idempotencyKey });
      expect(decode(protocol, CreatePaymentResponseSchema, again).replayed).toBe(false);
      await desk.expectExact(500n);
    });
  });
});
