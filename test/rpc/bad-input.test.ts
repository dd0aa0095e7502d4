import { gzipSync } from "node:zlib";
import { fromBinary, fromJsonString } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CreatePaymentRequestSchema,
  CreatePaymentResponseSchema,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { KEY, startEchoServer, type EchoServer } from "../support/echo-server.ts";
import {
  expectError,
  INVALID,
  MALFORMED,
  TOO_LARGE,
  type Expected,
} from "../support/expect-error.ts";
import {
  CREATE_PAYMENT,
  paymentRequest,
  type PaymentChanges,
} from "../support/payment-requests.ts";
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
  server = await startEchoServer();
});
afterAll(() => server.close());

async function call(
  protocol: Protocol,
  message: Uint8Array,
  headers: Record<string, string> = {},
): Promise<Outcome> {
  return await callUnary(server.url, protocol, CREATE_PAYMENT, message, {
    authorization: KEY,
    ...headers,
  });
}

const MESSAGES: [what: string, PaymentChanges, Expected][] = [
  ["no amount", { amount: undefined }, INVALID("amount")],
  [
    "amount 0",
    { amount: { currencyCode: "EUR", amountMinor: 0n } },
    INVALID("amount.amount_minor"),
  ],
  [
    "a negative amount",
    { amount: { currencyCode: "EUR", amountMinor: -1n } },
    INVALID("amount.amount_minor"),
  ],
  [
    "an amount of 2^53",
    { amount: { currencyCode: "EUR", amountMinor: 2n ** 53n } },
    INVALID("amount.amount_minor"),
  ],
  [
    "currency usd",
    { amount: { currencyCode: "usd", amountMinor: 1n } },
    INVALID("amount.currency_code"),
  ],
  ["no idempotency key", { idempotencyKey: "" }, INVALID("idempotency_key")],
  ["a key of 129 characters", { idempotencyKey: "k".repeat(129) }, INVALID("idempotency_key")],
  ["a key with a control character", { idempotencyKey: "a\nb" }, INVALID("idempotency_key")],
  ["a key that isn't ASCII", { idempotencyKey: "schlüssel" }, INVALID("idempotency_key")],
  ["a debtor that is no UUID", { debtorAccountId: "me" }, INVALID("debtor_account_id")],
  ["U+0000 in text", { endToEndId: "a\0b" }, INVALID("end_to_end_id")],
  ["U+0000 in a name of metadata", { metadata: { "a\0": "b" } }, INVALID('metadata["a\0"]')],
  [
    "two wrong fields",
    { debtorAccountId: "", amount: undefined },
    INVALID("debtor_account_id", "amount"),
  ],
  ["70 KiB", { metadata: { a: "x".repeat(70 * 1024) } }, TOO_LARGE],
];

describe.each(PROTOCOLS)("$name refuses", (protocol) => {
  test.each(MESSAGES)("%s", async (_, changes, expected) => {
    const message = encode(protocol, CreatePaymentRequestSchema, paymentRequest(changes));
    expectError(protocol, await call(protocol, message), expected);
  });

  test("a call without a key or with an unknown one, whatever the body", async () => {
    for (const authorization of [undefined, "", "Bearer", "Bearer nope", "Basic x"]) {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      const message = Buffer.from("\xff not a message");
      const outcome = await callUnary(server.url, protocol, CREATE_PAYMENT, message, headers);
      expectError(protocol, outcome, ["unauthenticated", 401, "MISSING_CREDENTIALS"]);
    }
  });

  test("a body of 10 MB that came as 10 KB of gzip", async () => {
    const bomb = gzipSync(Buffer.alloc(10_000_000, "a"));
    expectError(protocol, await callCompressed(protocol, bomb), TOO_LARGE);
  });

  test("gzip that isn't gzip", async () => {
    expectError(protocol, await callCompressed(protocol, Buffer.from("{}")), MALFORMED);
  });

  test("a compression that it doesn't know", async () => {
    const header = isFramed(protocol) ? "grpc-encoding" : "content-encoding";
    const outcome = await call(protocol, Buffer.from("{}"), { [header]: "zstd" });
    expectError(protocol, outcome, ["unimplemented", 501, "UNIMPLEMENTED"]);
  });

  test("a time-out that can't be read", async () => {
    for (const timeout of ["5x", "", "-5", "1e3", "12345678901"]) {
      const header = Object.keys(timeoutHeader(protocol, 1))[0]!;
      const message = encode(protocol, CreatePaymentRequestSchema, paymentRequest());
      expectError(protocol, await call(protocol, message, { [header]: timeout }), MALFORMED);
    }
  });

  test("a key in the header that differs from the one in the message", async () => {
    const message = encode(protocol, CreatePaymentRequestSchema, paymentRequest());
    const outcome = await call(protocol, message, { "idempotency-key": "other" });
    expectError(protocol, outcome, INVALID("idempotency_key"));
  });

  test("a key in the header that is too long or not ASCII", async () => {
    const request = paymentRequest({ idempotencyKey: "" });
    const message = encode(protocol, CreatePaymentRequestSchema, request);
    for (const key of ["k".repeat(129), "schl\xfcssel"]) {
      const outcome = await call(protocol, message, { "idempotency-key": key });
      expectError(protocol, outcome, INVALID("idempotency_key"));
    }
  });

  test("a method that doesn't exist", async () => {
    const path = "/instantpayment.v1.PaymentService/Steal";
    const outcome = await callUnary(server.url, protocol, path, Buffer.from("{}"));
    expectError(protocol, outcome, ["unimplemented", 404, "UNIMPLEMENTED"]);
  });

  test("nothing that is right: the header's key and gzip are taken", async () => {
    const request = paymentRequest({ idempotencyKey: "" });
    const message = encode(protocol, CreatePaymentRequestSchema, request);
    const headers = { "idempotency-key": "from-the-header" };
    const outcome = await callCompressed(protocol, gzipSync(message), headers);
    expect(outcome.code).toBe("ok");
    const { payment } = protocol.isJson
      ? fromJsonString(CreatePaymentResponseSchema, outcome.body.toString())
      : fromBinary(CreatePaymentResponseSchema, outcome.body);
    expect(payment?.idempotencyKey).toBe("from-the-header");
    expect(payment?.amount?.amountMinor).toBe(500n);
  });
});

/** The message is compressed already; gRPC's flag says so in its frame. */
async function callCompressed(
  protocol: Protocol,
  message: Uint8Array,
  headers: Record<string, string> = {},
): Promise<Outcome> {
  const isGrpc = isFramed(protocol);
  const encoding = isGrpc ? "grpc-encoding" : "content-encoding";
  return await callUnary(
    server.url,
    protocol,
    CREATE_PAYMENT,
    message,
    { authorization: KEY, [encoding]: "gzip", ...headers },
    1,
  );
}
