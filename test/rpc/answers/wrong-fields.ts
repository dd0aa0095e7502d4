import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import { PaymentService } from "../../../gen/instantpayment/v1/payment_service_pb.ts";
import { INVALID, TOO_LARGE, type Expected } from "../../support/expect-error.ts";
import { ACCOUNTS, type PaymentChanges } from "../../support/payment-requests.ts";
import type { Row } from "./row.ts";

const amount = (amountMinor: bigint, currencyCode = "EUR"): PaymentChanges => ({
  amount: { currencyCode, amountMinor },
});

const CHANGES: [what: string, changes: PaymentChanges, Expected][] = [
  ["no amount", { amount: undefined }, INVALID("amount")],
  ["amount 0", amount(0n), INVALID("amount.amount_minor")],
  ["a negative amount", amount(-1n), INVALID("amount.amount_minor")],
  ["an amount of 2^53", amount(2n ** 53n), INVALID("amount.amount_minor")],
  ["the smallest int64", amount(-(2n ** 63n)), INVALID("amount.amount_minor")],
  ["currency usd", amount(1n, "usd"), INVALID("amount.currency_code")],
  ["currency XXX", amount(1n, "XXX"), INVALID("amount.currency_code")],
  ["no currency", amount(1n, ""), INVALID("amount.currency_code")],
  [
    "a debtor who pays itself",
    { creditorAccountId: ACCOUNTS.debtor },
    INVALID("creditor_account_id"),
  ],
  [
    "a debtor who pays itself in other letters",
    { creditorAccountId: ACCOUNTS.debtor.toUpperCase() },
    INVALID("creditor_account_id"),
  ],
  ["a debtor that is no UUID", { debtorAccountId: "me" }, INVALID("debtor_account_id")],
  ["no creditor", { creditorAccountId: "" }, INVALID("creditor_account_id")],
  ["no idempotency key", { idempotencyKey: "" }, INVALID("idempotency_key")],
  ["a key of 129 characters", { idempotencyKey: "k".repeat(129) }, INVALID("idempotency_key")],
  ["a key with a control character", { idempotencyKey: "a\nb" }, INVALID("idempotency_key")],
  ["a key that isn't ASCII", { idempotencyKey: "schlüssel" }, INVALID("idempotency_key")],
  ["U+0000 in text", { endToEndId: "a\0b" }, INVALID("end_to_end_id")],
  ["36 characters of reference", { endToEndId: "e".repeat(36) }, INVALID("end_to_end_id")],
  ["U+0000 in a name of metadata", { metadata: { "a\0": "b" } }, INVALID('metadata["a\0"]')],
  [
    "51 pairs of metadata",
    { metadata: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [i, ""])) },
    INVALID("metadata"),
  ],
  [
    "two wrong fields",
    { debtorAccountId: "", amount: undefined },
    INVALID("debtor_account_id", "amount"),
  ],
  [
    "an expire_time that has passed",
    { expireTime: timestampFromMs(1_000) },
    ["invalid_argument", 400, "EXPIRE_TIME_PASSED"],
  ],
  // Rounded to milliseconds it's in the year 10000, which can be stored and never be told again.
  [
    "an expire_time at the end of time",
    { expireTime: { seconds: 253_402_300_799n, nanos: 999_999_999 } },
    INVALID("expire_time"),
  ],
  // Errors stay small enough for gRPC's trailers, however much there is to tell.
  [
    "a name of 60,000 characters",
    { metadata: { ["x".repeat(60_000)]: "" } },
    INVALID(`metadata["${"x".repeat(89)}…`),
  ],
  ["70 KiB", { metadata: { a: "x".repeat(70 * 1024) } }, TOO_LARGE],
];

const TOKENS = ["x", "%%%", "e30", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"];

/** Messages that can be encoded and still hold what isn't allowed. */
export const WRONG_FIELDS: readonly Row[] = [
  ...(CHANGES.map(([what, changes, expected]) => ({
    what,
    send: (desk, protocol) => desk.pay(protocol, changes),
    expected,
  })) satisfies Row[]),
  ...(TOKENS.map((pageToken) => ({
    what: `page token ${pageToken}`,
    send: (desk, protocol) =>
      desk.call(protocol, PaymentService.method.listPayments, { pageToken }),
    expected: ["invalid_argument", 400, "INVALID_PAGE_TOKEN", ["page_token"]],
  })) satisfies Row[]),
  {
    what: "a batch of none",
    send: (desk, protocol) => desk.call(protocol, PaymentService.method.batchCreatePayments, {}),
    expected: INVALID("requests"),
  },
  {
    what: "a batch of 1,001",
    send: (desk, protocol) => {
      const requests = Array.from({ length: 1_001 }, () => ({}));
      return desk.call(protocol, PaymentService.method.batchCreatePayments, { requests });
    },
    expected: (outcome) => {
      expect(outcome).toMatchObject({ code: "invalid_argument", reason: "INVALID_FIELD" });
      expect(outcome.fields).toHaveLength(10);
    },
  },
];
