import { expect } from "vitest";
import { PaymentService } from "../../../gen/instantpayment/v1/payment_service_pb.ts";
import { WebhookService } from "../../../gen/instantpayment/v1/webhook_service_pb.ts";
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

/** Mistakes of a first try, and what the answer says of the field. */
const MISTAKES: [body: string, path: string, field: string, description: RegExp][] = [
  [
    amountBody("1.5"),
    CREATE_PAYMENT,
    "amount.amount_minor",
    /whole number of minor units.*, not 1\.5$/,
  ],
  [amountBody('"NaN"'), CREATE_PAYMENT, "amount.amount_minor", /whole number of minor units/],
  [amountBody('"5 EUR"'), CREATE_PAYMENT, "amount.amount_minor", /such as "1250", not "5 EUR"$/],
  [amountBody('"+5"'), CREATE_PAYMENT, "amount.amount_minor", /such as "1250", not "\+5"$/],
  [
    '{"captureMode":"MANUAL"}',
    CREATE_PAYMENT,
    "capture_mode",
    /^must be CAPTURE_MODE_AUTOMATIC or CAPTURE_MODE_MANUAL, not "MANUAL"$/,
  ],
  ['{"holdDuration":"1h"}', CREATE_PAYMENT, "hold_duration", /seconds such as "3600s", not "1h"$/],
  [
    '{"retryPolicy":{"initialBackoff":"1s","maxBackoff":60}}',
    CREATE_PAYMENT,
    "retry_policy.max_backoff",
    /seconds such as "3600s", not 60$/,
  ],
  ['{"expireTime":"soon"}', CREATE_PAYMENT, "expire_time", /RFC 3339/],
  [
    '{"requests":[{},{"holdDuration":"1h"}]}',
    `/${PaymentService.typeName}/BatchCreatePayments`,
    "requests[1].hold_duration",
    /"3600s"/,
  ],
  ['{"endTime":"soon"}', `/${PaymentService.typeName}/ListPayments`, "end_time", /RFC 3339/],
  [
    '{"eventTypes":["PAYMENT_EVENT_TYPE_HELD","SETTLED"]}',
    `/${WebhookService.typeName}/CreateWebhookEndpoint`,
    "event_types",
    /^must be PAYMENT_EVENT_TYPE_… with one of PENDING, HELD, SETTLED,.* RETRIED, not \["PAY/,
  ],
  ["{}", CREATE_PAYMENT, "idempotency_key", /^is missing: it must be 1 to 128 printable ASCII/],
  [
    '{"idempotencyKey":"ä"}',
    CREATE_PAYMENT,
    "idempotency_key",
    /^must be 1 to 128 printable ASCII characters$/,
  ],
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
  ...MISTAKES.map(([body, path, field, description]): Row => ({
    what: `what is to be sent instead of ${body}`,
    in: ({ isJson }) => isJson,
    send: (desk, protocol) => desk.send(protocol, path, Buffer.from(body)),
    expected: (outcome) => {
      expect(outcome).toMatchObject({ status: 400, reason: "INVALID_FIELD" });
      expect(outcome.fields[0]).toBe(field);
      // The message begins with the first of the fields.
      expect(outcome.message.slice(0, field.length + 2)).toBe(`${field}: `);
      expect(outcome.message.slice(field.length + 2)).toMatch(description);
    },
  })),
];
