import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GetAccountRequestSchema } from "../../gen/instantpayment/v1/account_service_pb.ts";
import {
  CreatePaymentRequestSchema,
  ListPaymentsRequestSchema,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { ERROR_CATALOGUE, ServiceError, type ErrorReason } from "../../src/kernel/errors.ts";
import { toConnectError, toServiceError } from "../../src/rpc/error-mapping.ts";
import { KEY, startEchoServer, type EchoServer } from "../support/echo-server.ts";
import { CREATE_PAYMENT, paymentRequest } from "../support/payment-requests.ts";
import {
  callUnary,
  encode,
  PROTOCOLS,
  type Outcome,
  type Protocol,
} from "../support/rpc-protocols.ts";

let server: EchoServer;
const observed: unknown[] = [];
beforeAll(async () => {
  server = await startEchoServer({ observe: (call) => observed.push(call) });
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

describe.each(PROTOCOLS)("Over $name", (protocol) => {
  test("a fault says nothing but a request id, under which the log has the cause", async () => {
    const outcome = await pay(protocol, "throw");
    expect(outcome).toMatchObject({
      code: "internal",
      message: "internal error",
      reason: "INTERNAL",
      metadata: {},
    });
    expect(JSON.stringify(outcome)).not.toContain("hunter2");
    const requestId = outcome.headers["x-request-id"];
    expect(outcome.requestId).toBe(requestId);
    expect(server.log()).toContainEqual(
      expect.objectContaining({
        level: "error",
        requestId,
        err: expect.objectContaining({ message: expect.stringContaining("hunter2") }),
      }),
    );
  });

  test("an overload says when to come back, in the details and in Retry-After", async () => {
    const outcome = await pay(protocol, "refuse");
    expect(outcome).toMatchObject({
      code: "resource_exhausted",
      reason: "OVERLOADED",
      retryAfterMs: 1_500,
    });
    expect(outcome.headers["retry-after"]).toBe("2");
  });

  test("the caller's own request id is taken, and another given if it's no plain word", async () => {
    const own = await pay(protocol, "refuse", { "x-request-id": "my-id-1" });
    expect(own.requestId).toBe("my-id-1");
    expect(own.headers["x-request-id"]).toBe("my-id-1");
    const other = await pay(protocol, "", { "x-request-id": "two words" });
    expect(other.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("what doesn't exist is answered with the same bytes every time", async () => {
    const answers = await Promise.all(
      ["1", "2"].map(async (digit) => {
        const accountId = `0198c1f0-0000-7000-8000-00000000000${digit}`;
        const request = create(GetAccountRequestSchema, { accountId });
        const message = encode(protocol, GetAccountRequestSchema, request);
        const path = "/instantpayment.v1.AccountService/GetAccount";
        return callUnary(server.url, protocol, path, message, { authorization: KEY });
      }),
    );
    const [first, second] = answers.map(({ headers, ...rest }) => ({
      ...rest,
      details: headers["grpc-status-details-bin"],
      length: headers["content-length"],
    }));
    expect(first).toMatchObject({ code: "not_found", reason: "ACCOUNT_NOT_FOUND" });
    expect(second).toEqual(first);
  });

  test("a method without an implementation is unimplemented", async () => {
    const path = "/instantpayment.v1.PaymentService/ListPayments";
    const message = encode(protocol, ListPaymentsRequestSchema, create(ListPaymentsRequestSchema));
    const outcome = await callUnary(server.url, protocol, path, message, { authorization: KEY });
    expect(outcome).toMatchObject({ code: "unimplemented", reason: "UNIMPLEMENTED" });
  });
});

test("every call is observed once, with its method, code and time", async () => {
  observed.length = 0;
  const [protocol] = PROTOCOLS;
  await pay(protocol!, "");
  await pay(protocol!, "refuse");
  const method = "instantpayment.v1.PaymentService/CreatePayment";
  const seconds = expect.any(Number) as number;
  expect(observed).toEqual([
    { method, code: "ok", seconds },
    { method, code: "resource_exhausted", seconds },
  ]);
});

test("where sending the same again helps, the answer says when, and nowhere else", () => {
  const retryable = (Object.keys(ERROR_CATALOGUE) as ErrorReason[]).filter((reason) =>
    toConnectError(new ServiceError(reason), "id-1").metadata.has("retry-after"),
  );
  const streams = ["STREAM_INTERRUPTED", "STREAM_TOO_SLOW"];
  expect(retryable.toSorted()).toEqual([
    "DEADLINE_EXCEEDED",
    "OVERLOADED",
    ...streams,
    "UNAVAILABLE",
  ]);
});

test("errors of others are told by their code, unknown ones as a fault", () => {
  expect(reasonOf(new ConnectError("x", Code.InvalidArgument))).toBe("MALFORMED_REQUEST");
  expect(reasonOf(new ConnectError("parse binary: x", Code.Internal))).toBe("MALFORMED_REQUEST");
  expect(reasonOf(new ConnectError("x", Code.ResourceExhausted))).toBe("REQUEST_TOO_LARGE");
  expect(reasonOf(new ConnectError("x", Code.Internal))).toBe("INTERNAL");
  expect(reasonOf("x")).toBe("INTERNAL");
  expect(toServiceError(new Error("x")).message).toBe("internal error");
});

function reasonOf(thrown: unknown): string {
  return toServiceError(thrown).reason;
}
