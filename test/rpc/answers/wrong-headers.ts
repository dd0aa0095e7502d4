import { gzipSync } from "node:zlib";
import { expect } from "vitest";
import {
  CreatePaymentRequestSchema,
  CreatePaymentResponseSchema,
  PaymentService,
} from "../../../gen/instantpayment/v1/payment_service_pb.ts";
import { INVALID, MALFORMED, TOO_LARGE, type Expected } from "../../support/expect-error.ts";
import { decode, type PaymentDesk } from "../../support/payment-desk.ts";
import { CREATE_PAYMENT, paymentRequest } from "../../support/payment-requests.ts";
import {
  encode,
  isFramed,
  timeoutHeader,
  type Outcome,
  type Protocol,
} from "../../support/rpc-protocols.ts";
import type { Row } from "./row.ts";

const UNAUTHENTICATED: Expected = ["unauthenticated", 401, "MISSING_CREDENTIALS"];
const UNIMPLEMENTED = (status: number): Expected => ["unimplemented", status, "UNIMPLEMENTED"];

const unauthenticated = ["", "Bearer", "Bearer nope", "Basic x", "Bearer a b"].map(
  (authorization): Row => ({
    what: `the key ${JSON.stringify(authorization)}, whatever the body`,
    send: (desk, protocol) =>
      desk.send(protocol, CREATE_PAYMENT, Buffer.from("\xff no message"), { authorization }),
    expected: UNAUTHENTICATED,
  }),
);

const unreadableTimeouts = ["5x", "", "-5", "1e3", "12345678901", "NaN"].map((timeout): Row => ({
  what: `the time-out ${JSON.stringify(timeout)}`,
  send: (desk, protocol) => {
    const [name = ""] = Object.keys(timeoutHeader(protocol, 1));
    return desk.pay(protocol, {}, { [name]: timeout });
  },
  expected: MALFORMED,
}));

const wrongKeys = ["k".repeat(129), "schl\xfcssel"].map((key): Row => ({
  what: `the header Idempotency-Key ${key.slice(0, 10)}`,
  send: (desk, protocol) => desk.pay(protocol, { idempotencyKey: "" }, { "idempotency-key": key }),
  expected: INVALID("idempotency_key"),
}));

const wrongGzip: Row[] = [
  {
    what: "a body of 10 MB that came as 10 KB of gzip",
    send: (desk, protocol) => sendGzip(desk, protocol, gzipSync(Buffer.alloc(10_000_000, "a"))),
    expected: TOO_LARGE,
  },
  {
    what: "gzip that isn't gzip",
    send: (desk, protocol) => sendGzip(desk, protocol, Buffer.from("{}")),
    expected: MALFORMED,
  },
  {
    what: "gzip that is cut",
    send: (desk, protocol) =>
      sendGzip(desk, protocol, gzipSync(Buffer.alloc(1_000, "a")).subarray(0, -9)),
    expected: MALFORMED,
  },
  ...["zstd", "z".repeat(10_000)].map((compression): Row => ({
    what: `a compression that the service doesn't know, ${compression.slice(0, 9)}`,
    send: (desk, protocol) => {
      const header = isFramed(protocol) ? "grpc-encoding" : "content-encoding";
      return desk.pay(protocol, {}, { [header]: compression });
    },
    expected: UNIMPLEMENTED(501),
  })),
];

/** What is wrong before a message is looked at, and the headers that are right. */
export const WRONG_HEADERS: readonly Row[] = [
  ...unauthenticated,
  ...unreadableTimeouts,
  ...wrongKeys,
  ...wrongGzip,
  {
    what: "a time-out of 0",
    send: (desk, protocol) => desk.pay(protocol, {}, timeoutHeader(protocol, 0)),
    expected: ["deadline_exceeded", 504, "DEADLINE_EXCEEDED"],
  },
  {
    what: "a key in the header that differs from the one in the message",
    send: (desk, protocol) => desk.pay(protocol, {}, { "idempotency-key": "other" }),
    expected: INVALID("idempotency_key"),
  },
  {
    what: "a method that doesn't exist",
    send: (desk, protocol) =>
      desk.send(protocol, `/${PaymentService.typeName}/Steal`, Buffer.from("{}")),
    expected: UNIMPLEMENTED(404),
  },
  {
    what: "a service that doesn't exist",
    send: (desk, protocol) => desk.send(protocol, "/no.such.Service/Steal", Buffer.from("{}")),
    expected: UNIMPLEMENTED(404),
  },
  {
    what: "nothing that is wrong: a key in the header, and gzip",
    send: (desk, protocol) => {
      const request = paymentRequest({ idempotencyKey: "" });
      const message = encode(protocol, CreatePaymentRequestSchema, request);
      const headers = { "idempotency-key": `header, ${protocol.name}` };
      return sendGzip(desk, protocol, gzipSync(message), headers);
    },
    expected: (outcome, protocol) => {
      const { payment } = decode(protocol, CreatePaymentResponseSchema, outcome);
      expect(payment?.idempotencyKey).toBe(`header, ${protocol.name}`);
    },
    moves: 500n,
  },
];

/** The message is compressed already; gRPC's flag says so in its frame. */
function sendGzip(
  desk: PaymentDesk,
  protocol: Protocol,
  message: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const encoding = isFramed(protocol) ? "grpc-encoding" : "content-encoding";
  return desk.send(protocol, CREATE_PAYMENT, message, { [encoding]: "gzip", ...headers }, 1);
}
