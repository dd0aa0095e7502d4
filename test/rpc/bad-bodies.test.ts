import { afterAll, beforeAll, describe, test } from "vitest";
import { CreatePaymentRequestSchema } from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { KEY, startEchoServer, type EchoServer } from "../support/echo-server.ts";
import {
  expectError,
  INVALID,
  MALFORMED,
  TOO_LARGE,
  type Expected,
} from "../support/expect-error.ts";
import { CREATE_PAYMENT, paymentJson, paymentRequest } from "../support/payment-requests.ts";
import {
  callRaw,
  callUnary,
  encode,
  frame,
  isFramed,
  PROTOCOLS,
  type Outcome,
  type Protocol,
} from "../support/rpc-protocols.ts";

let server: EchoServer;
beforeAll(async () => {
  server = await startEchoServer();
});
afterAll(() => server.close());

async function call(protocol: Protocol, body: string | Uint8Array): Promise<Outcome> {
  const headers = { authorization: KEY };
  return await callUnary(server.url, protocol, CREATE_PAYMENT, Buffer.from(body), headers);
}

const BODIES: [what: string, body: string | Buffer, Expected][] = [
  ["no body", "", MALFORMED],
  ["null", "null", MALFORMED],
  ["a list", "[]", MALFORMED],
  ["a cut body", '{"amount":', MALFORMED],
  ["a misspelt member", JSON.stringify(paymentJson({ amout: 5 })), MALFORMED],
  ["a repeated member", '{"endToEndId":"a","endToEndId":"b"}', MALFORMED],
  [
    "a member under both its names",
    '{"endToEndId":"a","end_to_end_id":"b"}',
    INVALID("end_to_end_id"),
  ],
  ["invalid UTF-8", Buffer.from('{"endToEndId":"\xff\xfe"}', "latin1"), MALFORMED],
  ["half a surrogate pair", '{"endToEndId":"\\ud800"}', INVALID("end_to_end_id")],
  [
    "U+0000 as an escape",
    JSON.stringify(paymentJson({ endToEndId: "a\0" })),
    INVALID("end_to_end_id"),
  ],
  ["200 levels", '{"amount":'.repeat(200) + "1" + "}".repeat(200), MALFORMED],
  ["30,000 levels", "[".repeat(30_000) + "]".repeat(30_000), MALFORMED],
  ["__proto__", '{"__proto__":{"amount":"5"}}', MALFORMED],
  ["a number for text", '{"endToEndId":5}', INVALID("end_to_end_id")],
  ["a moment that is none", '{"expireTime":"soon"}', INVALID("expire_time")],
  ...[
    '"1e3"',
    "1.5",
    '"1.5"',
    '"0x10"',
    '" 12"',
    '""',
    '"+5"',
    "true",
    "[5]",
    "{}",
    '"9223372036854775808"',
  ].map((amount): [string, string, Expected] => [
    `amount ${amount}`,
    amountBody(amount),
    INVALID("amount.amount_minor"),
  ]),
  ["amount null", amountBody("null"), INVALID("amount.amount_minor")],
  ["amount NaN", amountBody("NaN"), MALFORMED],
  [
    "an amount that JavaScript rounds",
    amountBody("9007199254740993"),
    INVALID("amount.amount_minor"),
  ],
];

function amountBody(amount: string): string {
  return JSON.stringify(paymentJson()).replace('"500"', amount);
}

describe.each(PROTOCOLS.filter(({ isJson }) => isJson))("$name refuses as a body", (protocol) => {
  test.each(BODIES)("%s", async (_, body, expected) => {
    expectError(protocol, await call(protocol, body), expected);
  });

  test("an unknown enum, by name and by number", async () => {
    for (const status of ['"PAYMENT_STATUS_LOST"', "99"]) {
      const path = "/instantpayment.v1.PaymentService/ListPayments";
      const body = Buffer.from(`{"status":${status}}`);
      const outcome = await callUnary(server.url, protocol, path, body, { authorization: KEY });
      expectError(protocol, outcome, INVALID("status"));
    }
  });
});

describe.each(PROTOCOLS.filter(({ isJson }) => !isJson))("$name refuses as a body", (protocol) => {
  test.each<[what: string, bytes: number[]]>([
    ["what is no Protobuf", [0xff, 0xff, 0xff, 0xff]],
    ["a field that ends too late", [0x0a, 0x7f, 0x61]],
    ["text that isn't UTF-8", [0x0a, 0x02, 0xff, 0xfe]],
  ])("%s", async (_, bytes) => {
    expectError(protocol, await call(protocol, Buffer.from(bytes)), MALFORMED);
  });
});

describe.each(PROTOCOLS.filter(isFramed))("$name refuses as frames", (protocol) => {
  const message = encode(protocol, CreatePaymentRequestSchema, paymentRequest());
  test.each<[what: string, body: Buffer, Expected]>([
    ["nothing", Buffer.alloc(0), MALFORMED],
    ["half a head", Buffer.from([0, 0]), MALFORMED],
    ["two messages", Buffer.concat([frame(message), frame(message)]), MALFORMED],
    ["a message that is shorter than it says", frame(message).subarray(0, -1), MALFORMED],
    ["a length of 4 GiB", Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), TOO_LARGE],
    ["a compressed message without an encoding", frame(message, 1), MALFORMED],
    ["unknown flags", frame(message, 2), MALFORMED],
  ])("%s", async (_, body, expected) => {
    const headers = { authorization: KEY };
    const outcome = await callRaw(server.url, protocol, CREATE_PAYMENT, body, headers);
    expectError(protocol, outcome, expected);
  });
});
