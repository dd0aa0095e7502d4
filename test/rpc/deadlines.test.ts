import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { VerifyLedgerRequestSchema } from "../../gen/instantpayment/v1/ledger_service_pb.ts";
import { CreatePaymentRequestSchema } from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { create } from "@bufbuild/protobuf";
import { KEY, startEchoServer, type EchoServer } from "../support/echo-server.ts";
import { CREATE_PAYMENT, paymentRequest } from "../support/payment-requests.ts";
import {
  callUnary,
  encode,
  isFramed,
  PROTOCOLS,
  timeoutHeader,
  type Outcome,
  type Protocol,
} from "../support/rpc-protocols.ts";

let server: EchoServer;
beforeAll(async () => {
  const methods = { "instantpayment.v1.LedgerService/VerifyLedger": { defaultTimeoutMs: 2_000 } };
  server = await startEchoServer({ limits: { defaultTimeoutMs: 80, maxTimeoutMs: 400, methods } });
});
afterAll(() => server.close());

function pay(
  protocol: Protocol,
  order: string,
  headers: Record<string, string> = {},
): Promise<Outcome> {
  const request = paymentRequest({ remittanceInformation: order });
  const message = encode(protocol, CreatePaymentRequestSchema, request);
  return callUnary(server.url, protocol, CREATE_PAYMENT, message, {
    authorization: KEY,
    ...headers,
  });
}

function expectDeadlineExceeded(protocol: Protocol, outcome: Outcome): void {
  expect(outcome.code).toBe("deadline_exceeded");
  expect(outcome.reason).toBe("DEADLINE_EXCEEDED");
  expect(outcome.retryAfterMs).toBeGreaterThan(0);
  expect(outcome.status).toBe(isFramed(protocol) ? 200 : 504);
}

describe.each(PROTOCOLS)("Over $name", (protocol) => {
  test("a call that takes longer than its time-out is answered at the time-out", async () => {
    const startMs = performance.now();
    const outcome = await pay(protocol, "sleep 3000", timeoutHeader(protocol, 150));
    expectDeadlineExceeded(protocol, outcome);
    expect(performance.now() - startMs).toBeLessThan(1_500);
  });

  test("a call in time isn't disturbed, and may take longer than the default", async () => {
    expect((await pay(protocol, "sleep 150", timeoutHeader(protocol, 390))).code).toBe("ok");
  });

  test("a call that names no time-out has the default one", async () => {
    expectDeadlineExceeded(protocol, await pay(protocol, "sleep 300"));
  });

  test("a time-out above the maximum is cut to it and not refused", async () => {
    const startMs = performance.now();
    const outcome = await pay(protocol, "sleep 3000", timeoutHeader(protocol, 99_999_999));
    expectDeadlineExceeded(protocol, outcome);
    expect(performance.now() - startMs).toBeLessThan(1_500);
  });

  test("time-out 0 ends the call before the implementation runs", async () => {
    const before = server.orders().length;
    expectDeadlineExceeded(protocol, await pay(protocol, "", timeoutHeader(protocol, 0)));
    expect(server.orders().length).toBe(before);
  });

  test("a method may have time limits of its own", async () => {
    const path = "/instantpayment.v1.LedgerService/VerifyLedger";
    const message = encode(protocol, VerifyLedgerRequestSchema, create(VerifyLedgerRequestSchema));
    const outcome = await callUnary(server.url, protocol, path, message, { authorization: KEY });
    expect(outcome.code).toBe("ok");
  });
});
