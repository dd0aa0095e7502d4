import { PaymentService } from "../../../gen/instantpayment/v1/payment_service_pb.ts";
import { INVALID, MALFORMED, type Expected } from "../../support/expect-error.ts";
import { CREATE_PAYMENT, paymentJson } from "../../support/payment-requests.ts";
import type { Row } from "./row.ts";

const AMOUNTS = [
  "null",
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
  "-1",
  '"-1"',
  // It would be rounded, and so is refused instead of being moved.
  "9007199254740993",
  '"9007199254740992"',
  '"9223372036854775808"',
  `"${"0x1".repeat(15_000)}"`,
];

function amountBody(amount: string): string {
  return JSON.stringify(paymentJson()).replace('"500"', amount);
}

const BODIES: [what: string, body: string | Buffer, Expected][] = [
  ["no body", "", MALFORMED],
  ["null", "null", MALFORMED],
  ["a list", "[]", MALFORMED],
  ["a cut body", '{"amount":', MALFORMED],
  ["a body of two", `${amountBody("1")}${amountBody("1")}`, MALFORMED],
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
  ["U+0000 as it is", '{"endToEndId":"\0"}', MALFORMED],
  ["200 levels", '{"amount":'.repeat(200) + "1" + "}".repeat(200), MALFORMED],
  ["30,000 levels", "[".repeat(30_000) + "]".repeat(30_000), MALFORMED],
  ["__proto__", '{"__proto__":{"amount":"5"}}', MALFORMED],
  ["a number for text", '{"endToEndId":5}', INVALID("end_to_end_id")],
  ["a moment that is none", '{"expireTime":"soon"}', INVALID("expire_time")],
  ["amount NaN", amountBody("NaN"), MALFORMED],
  ...AMOUNTS.map((amount): [string, string, Expected] => [
    `amount ${amount.slice(0, 20)}`,
    amountBody(amount),
    INVALID("amount.amount_minor"),
  ]),
];

const LIST_PAYMENTS = `/${PaymentService.typeName}/ListPayments`;

/** Bodies that only JSON can have. */
export const WRONG_JSON: readonly Row[] = [
  ...BODIES.map(([what, body, expected]): Row => ({
    what,
    in: ({ isJson }) => isJson,
    send: (desk, protocol) => desk.send(protocol, CREATE_PAYMENT, Buffer.from(body)),
    expected,
  })),
  ...['"PAYMENT_STATUS_LOST"', "99"].map((status): Row => ({
    what: `an unknown enum, ${status}`,
    in: ({ isJson }) => isJson,
    send: (desk, protocol) =>
      desk.send(protocol, LIST_PAYMENTS, Buffer.from(`{"status":${status}}`)),
    expected: INVALID("status"),
  })),
];
