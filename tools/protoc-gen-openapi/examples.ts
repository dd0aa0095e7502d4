import type { JsonObject } from "@bufbuild/protobuf";
import { EXAMPLE_KEY_PREFIX, EXAMPLE_VALUES } from "../../src/rpc/docs-examples.ts";
import { WEBHOOK_REQUEST_EXAMPLES, WEBHOOK_RESPONSE_EXAMPLES } from "./webhook-examples.ts";

const { demoDebtorAccountId, demoCreditorAccountId, demoPaymentId, demoApiKeyId } = EXAMPLE_VALUES;
const { demoHeldPaymentId, demoCancelPaymentId, demoRejectedPaymentId } = EXAMPLE_VALUES;
const amount = { currencyCode: "EUR", amountMinor: "1250" };

const createPayment = {
  idempotencyKey: `${EXAMPLE_KEY_PREFIX}create`,
  debtorAccountId: demoDebtorAccountId,
  creditorAccountId: demoCreditorAccountId,
  amount,
  endToEndId: "INV-2026-0042",
  remittanceInformation: "Invoice 42",
  metadata: { orderId: "42" },
};

/**
 * An example for each request, by the message's name: it passes validation and, against the demo
 * accounts, works as it is. A test names the requests that have none.
 */
export const REQUEST_EXAMPLES: Readonly<Record<string, JsonObject>> = {
  CreatePaymentRequest: createPayment,
  BatchCreatePaymentsRequest: {
    requests: [
      { ...createPayment, idempotencyKey: `${EXAMPLE_KEY_PREFIX}batch-1` },
      { ...createPayment, idempotencyKey: `${EXAMPLE_KEY_PREFIX}batch-2` },
    ],
    atomic: true,
  },
  CapturePaymentRequest: {
    paymentId: demoHeldPaymentId,
    idempotencyKey: `${EXAMPLE_KEY_PREFIX}capture`,
    amount,
  },
  CancelPaymentRequest: {
    paymentId: demoCancelPaymentId,
    idempotencyKey: `${EXAMPLE_KEY_PREFIX}cancel`,
  },
  RefundPaymentRequest: {
    paymentId: demoPaymentId,
    idempotencyKey: `${EXAMPLE_KEY_PREFIX}refund`,
    amount,
    remittanceInformation: "Goods sent back",
  },
  RetryPaymentRequest: {
    paymentId: demoRejectedPaymentId,
    idempotencyKey: `${EXAMPLE_KEY_PREFIX}retry`,
  },
  GetPaymentRequest: { paymentId: demoPaymentId },
  WatchPaymentRequest: { paymentId: demoPaymentId },
  ListPaymentsRequest: { accountId: demoDebtorAccountId, pageSize: 10 },
  CreateAccountRequest: { currencyCode: "EUR", metadata: { purpose: "savings" } },
  GetAccountRequest: { accountId: demoDebtorAccountId },
  ListAccountsRequest: { pageSize: 10 },
  UpdateAccountRequest: { accountId: demoDebtorAccountId, metadata: { purpose: "travel" } },
  GetBalanceRequest: { accountId: demoDebtorAccountId },
  ListEntriesRequest: { accountId: demoDebtorAccountId, pageSize: 10 },
  WatchAccountRequest: { accountId: demoDebtorAccountId, afterSequence: "1" },
  VerifyLedgerRequest: {},
  CreateApiKeyRequest: {
    ownerId: "alice",
    scopes: ["accounts:read", "payments:read", "payments:write"],
    displayName: "Shop",
  },
  ListApiKeysRequest: { ownerId: "alice", pageSize: 10 },
  RotateApiKeyRequest: { apiKeyId: demoApiKeyId, gracePeriod: "3600s" },
  RevokeApiKeyRequest: { apiKeyId: demoApiKeyId },
  ...WEBHOOK_REQUEST_EXAMPLES,
};

const time = "2026-03-01T09:30:00.125Z";

const settled = {
  id: demoPaymentId,
  ...createPayment,
  status: "PAYMENT_STATUS_SETTLED",
  sequence: 1,
  capturedMinor: "1250",
  debtorBalanceAfterMinor: "98750",
  createTime: time,
  updateTime: time,
};

const rejected = {
  id: demoPaymentId,
  ...createPayment,
  status: "PAYMENT_STATUS_REJECTED",
  reason: "PAYMENT_REASON_INSUFFICIENT_FUNDS",
  reasonCode: "AM04",
  reasonDetail: "The debtor account's available balance is below the amount.",
  sequence: 1,
  createTime: time,
  updateTime: time,
};

const held = {
  id: demoHeldPaymentId,
  ...createPayment,
  status: "PAYMENT_STATUS_HELD",
  sequence: 1,
  expireTime: "2026-03-08T09:30:00.125Z",
  createTime: time,
  updateTime: time,
};

const { debtorBalanceAfterMinor: _, ...ended } = settled;

const refund = {
  ...ended,
  idempotencyKey: `${EXAMPLE_KEY_PREFIX}refund`,
  debtorAccountId: demoCreditorAccountId,
  creditorAccountId: demoDebtorAccountId,
  metadata: {},
  remittanceInformation: "Goods sent back",
  refundOfPaymentId: demoPaymentId,
};

const balance = {
  currencyCode: "EUR",
  postedMinor: "98750",
  heldMinor: "0",
  availableMinor: "98750",
  version: "2",
  entrySequence: "2",
};

const account = {
  id: demoDebtorAccountId,
  ownerId: "demo",
  ...balance,
  overdraftMode: "OVERDRAFT_MODE_NONE",
  status: "ACCOUNT_STATUS_OPEN",
  createTime: "2026-03-01T09:00:00Z",
  updateTime: time,
};

const entry = {
  sequence: "2",
  paymentId: demoPaymentId,
  amountMinor: "-1250",
  balanceAfterMinor: "98750",
  counterpartyAccountId: demoCreditorAccountId,
  createTime: time,
};

const apiKey = {
  id: demoApiKeyId,
  ownerId: "alice",
  scopes: ["accounts:read", "payments:read", "payments:write"],
  displayName: "Shop",
  createTime: "2026-03-01T09:00:00Z",
  rotateTime: "2026-03-01T09:00:00Z",
};

const secret = `ipk_${demoApiKeyId.replaceAll("-", "")}_<43 characters>`;

/** An answer, without its zero values. */
interface ResponseExample {
  readonly summary: string;
  readonly value: JsonObject;
}

const one = (value: JsonObject): Record<string, ResponseExample> => ({
  example: { summary: "Example", value },
});

/** Examples of answers, by the message's name; without one a viewer makes it from the schema. */
export const RESPONSE_EXAMPLES: Readonly<Record<string, Record<string, ResponseExample>>> = {
  CreatePaymentResponse: {
    settled: { summary: "Settled", value: { payment: settled } },
    replayed: { summary: "The same request again", value: { payment: settled, replayed: true } },
    declined: { summary: "Declined", value: { payment: rejected } },
    held: { summary: "Held for a capture", value: { payment: held } },
  },
  CapturePaymentResponse: one({ payment: { ...settled, id: demoHeldPaymentId, sequence: 2 } }),
  CancelPaymentResponse: one({
    payment: { ...held, status: "PAYMENT_STATUS_CANCELLED", sequence: 2 },
  }),
  RefundPaymentResponse: one({ payment: refund }),
  RetryPaymentResponse: one({ payment: { ...settled, retryOfPaymentId: demoRejectedPaymentId } }),
  GetPaymentResponse: one({ payment: settled }),
  ListPaymentsResponse: one({ payments: [settled, rejected] }),
  WatchPaymentResponse: one({
    event: {
      eventId: "01980000-0000-7000-8000-0000000000e1",
      sequence: 1,
      type: "PAYMENT_EVENT_TYPE_SETTLED",
      payment: settled,
      occurTime: time,
      debtorEntrySequence: "2",
    },
  }),
  CreateAccountResponse: one({ account }),
  GetAccountResponse: one({ account }),
  ListAccountsResponse: one({ accounts: [account] }),
  UpdateAccountResponse: one({ account }),
  GetBalanceResponse: one({
    balance: { accountId: demoDebtorAccountId, ...balance, asOfTime: time },
  }),
  ListEntriesResponse: one({
    entries: [entry],
    openingBalanceMinor: "100000",
    closingBalanceMinor: "98750",
  }),
  WatchAccountResponse: one({
    entry,
    balance: { accountId: demoDebtorAccountId, ...balance, asOfTime: time },
  }),
  CreateApiKeyResponse: one({ apiKey, secret }),
  ListApiKeysResponse: one({ apiKeys: [{ ...apiKey, lastUseTime: time }] }),
  RotateApiKeyResponse: one({
    apiKey: { ...apiKey, rotateTime: time, previousSecretExpireTime: "2026-03-01T10:30:00.125Z" },
    secret,
  }),
  RevokeApiKeyResponse: one({ apiKey: { ...apiKey, revokeTime: time } }),
  ...Object.fromEntries(
    Object.entries(WEBHOOK_RESPONSE_EXAMPLES).map(([name, value]) => [name, one(value)]),
  ),
  VerifyLedgerResponse: one({
    ok: true,
    accountCount: "3",
    paymentCount: "2",
    entryCount: "4",
    eventCount: "2",
  }),
};
