import type { DescMethodUnary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import {
  AccountService,
  AccountStatus,
} from "../../../gen/instantpayment/v1/account_service_pb.ts";
import { PaymentReason, PaymentStatus } from "../../../gen/instantpayment/v1/payment_pb.ts";
import {
  BatchCreatePaymentsResponseSchema,
  CreatePaymentResponseSchema,
  PaymentService,
} from "../../../gen/instantpayment/v1/payment_service_pb.ts";
import type { Expected } from "../../support/expect-error.ts";
import { decode } from "../../support/payment-desk.ts";
import { ACCOUNTS, paymentRequest, type PaymentChanges } from "../../support/payment-requests.ts";
import type { Row } from "./row.ts";

const MAX = 9_007_199_254_740_991n;

const DECLINES: [changes: PaymentChanges, reason: PaymentReason, code: string][] = [
  [{ creditorAccountId: ACCOUNTS.unknown }, PaymentReason.CREDITOR_ACCOUNT_NOT_FOUND, "AC03"],
  [{ creditorAccountId: ACCOUNTS.closed }, PaymentReason.ACCOUNT_CLOSED, "AC04"],
  [{ debtorAccountId: ACCOUNTS.closed }, PaymentReason.ACCOUNT_CLOSED, "AC04"],
  [{ creditorAccountId: ACCOUNTS.frozen }, PaymentReason.ACCOUNT_FROZEN, "AC06"],
  [{ debtorAccountId: ACCOUNTS.frozen }, PaymentReason.ACCOUNT_FROZEN, "AC06"],
  [{ creditorAccountId: ACCOUNTS.inDollars }, PaymentReason.CURRENCY_MISMATCH, "AM03"],
  [{ amount: { currencyCode: "USD", amountMinor: 1n } }, PaymentReason.CURRENCY_MISMATCH, "AM03"],
  [{ debtorAccountId: ACCOUNTS.empty }, PaymentReason.INSUFFICIENT_FUNDS, "AM04"],
  [{ amount: { currencyCode: "EUR", amountMinor: MAX } }, PaymentReason.INSUFFICIENT_FUNDS, "AM04"],
];

const declines = DECLINES.map(([changes, reason, code], i): Row => ({
  what: `a payment that is declined with ${code}, ${Object.keys(changes).join()} (${i})`,
  send: (desk, protocol) =>
    desk.pay(protocol, { ...changes, idempotencyKey: `decline ${i}, ${protocol.name}` }),
  expected: (outcome, protocol) => {
    const { payment } = decode(protocol, CreatePaymentResponseSchema, outcome);
    expect(payment).toMatchObject({ status: PaymentStatus.REJECTED, reason, reasonCode: code });
  },
}));

const DIFFERENCES: [field: string, changes: PaymentChanges][] = [
  ["debtor_account_id", { debtorAccountId: ACCOUNTS.empty }],
  ["creditor_account_id", { creditorAccountId: ACCOUNTS.bank }],
  ["amount.currency_code", { amount: { currencyCode: "USD", amountMinor: 500n } }],
  ["amount.amount_minor", { amount: { currencyCode: "EUR", amountMinor: 501n } }],
  ["end_to_end_id", { endToEndId: "other" }],
  ["remittance_information", { remittanceInformation: "other" }],
  ["metadata", { metadata: { other: "" } }],
  ["expire_time", { expireTime: timestampFromMs(4_000_000_000_000) }],
];

const differences = DIFFERENCES.map(([field, changes]): Row => ({
  what: `the key of a request that differs in ${field}`,
  send: async (desk, protocol) => {
    const idempotencyKey = `differs in ${field}, ${protocol.name}`;
    await desk.pay(protocol, { idempotencyKey });
    return await desk.pay(protocol, { ...changes, idempotencyKey });
  },
  expected: ["already_exists", 409, "IDEMPOTENCY_KEY_REUSED", [field]],
  moves: 500n,
}));

const missing = (reason: string): Expected => ["not_found", 404, reason];
const { getAccount, getBalance, listEntries, updateAccount } = AccountService.method;
const { getPayment, listPayments, batchCreatePayments } = PaymentService.method;

const READS: readonly DescMethodUnary[] = [getAccount, getBalance, listEntries, updateAccount];

const unknown: Row[] = [
  ...READS.map((method): Row => ({
    what: `${method.name} of an account that doesn't exist`,
    send: (desk, protocol) => desk.call(protocol, method, { accountId: ACCOUNTS.unknown }),
    expected: missing("ACCOUNT_NOT_FOUND"),
  })),
  {
    what: "a debtor account that doesn't exist",
    send: (desk, protocol) => desk.pay(protocol, { debtorAccountId: ACCOUNTS.unknown }),
    expected: missing("ACCOUNT_NOT_FOUND"),
  },
  ...[
    ACCOUNTS.unknown,
    "00000000-0000-4000-8000-000000000000",
    // Their times are after the year 9999.
    "ffffffff-ffff-7fff-bfff-ffffffffffff",
    "e677d21f-dc00-7fff-bfff-ffffffffffff",
  ].map((paymentId): Row => ({
    what: `the payment ${paymentId}, which doesn't exist`,
    send: (desk, protocol) => desk.call(protocol, getPayment, { paymentId }),
    expected: missing("PAYMENT_NOT_FOUND"),
  })),
];

const forbidden: Row[] = (
  [
    ["debtor", "CLOSED"],
    ["closed", "OPEN"],
    ["closed", "FROZEN"],
  ] as const
).map(([account, status]) => ({
  what: `a change of the account "${account}" to ${status}, which its state forbids`,
  send: (desk, protocol) => {
    const change = { accountId: ACCOUNTS[account], status: AccountStatus[status] };
    return desk.call(protocol, updateAccount, change);
  },
  expected: ["failed_precondition", 400, "ACCOUNT_STATE_FORBIDS"],
}));

/** Requests that are in order; what becomes of them is up to the ledger. */
export const OUTCOMES: readonly Row[] = [
  ...declines,
  ...differences,
  ...unknown,
  ...forbidden,
  {
    what: "the same request again",
    send: async (desk, protocol) => {
      const idempotencyKey = `again, ${protocol.name}`;
      await desk.pay(protocol, { idempotencyKey });
      return await desk.pay(protocol, { idempotencyKey });
    },
    expected: (outcome, protocol) => {
      const answer = decode(protocol, CreatePaymentResponseSchema, outcome);
      expect(answer).toMatchObject({ replayed: true, payment: { status: PaymentStatus.SETTLED } });
    },
    moves: 500n,
  },
  {
    what: "a page token of another query",
    send: async (desk, protocol) => {
      const accountId = ACCOUNTS.debtor;
      const page = await desk.call(protocol, listPayments, { pageSize: 1 });
      const { nextPageToken: pageToken } = decode(protocol, listPayments.output, page);
      return await desk.call(protocol, listPayments, { accountId, pageToken });
    },
    expected: ["invalid_argument", 400, "INVALID_PAGE_TOKEN", ["page_token"]],
  },
  {
    what: "a batch above 64 KiB, which has a limit of its own",
    send: (desk, protocol) => {
      const metadata = Object.fromEntries(
        Array.from({ length: 50 }, (_, i) => [`name ${i}`, "v".repeat(500)]),
      );
      const requests = ["a", "b", "c"].map((name) =>
        paymentRequest({ idempotencyKey: `batch ${name}, ${protocol.name}`, metadata }),
      );
      return desk.call(protocol, batchCreatePayments, { requests });
    },
    expected: (outcome, protocol) => {
      const { results } = decode(protocol, BatchCreatePaymentsResponseSchema, outcome);
      expect(results.map(({ payment }) => payment?.status)).toEqual(
        [1, 2, 3].map(() => PaymentStatus.SETTLED),
      );
    },
    moves: 1_500n,
  },
  {
    what: "a batch above 4 MiB",
    send: (desk, protocol) =>
      desk.send(protocol, `/${PaymentService.typeName}/BatchCreatePayments`, LARGE),
    expected: ["resource_exhausted", 429, "REQUEST_TOO_LARGE"],
  },
];

const LARGE = Buffer.alloc(4 * 1024 * 1024 + 1, " ");
