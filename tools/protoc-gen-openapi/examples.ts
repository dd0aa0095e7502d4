import type { JsonObject } from "@bufbuild/protobuf";
import { EXAMPLE_KEY_PREFIX, EXAMPLE_VALUES } from "../../src/rpc/docs-examples.ts";

const { demoDebtorAccountId, demoCreditorAccountId, demoPaymentId } = EXAMPLE_VALUES;
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
  GetPaymentRequest: { paymentId: demoPaymentId },
  ListPaymentsRequest: { accountId: demoDebtorAccountId, pageSize: 10 },
  CreateAccountRequest: { currencyCode: "EUR", metadata: { purpose: "savings" } },
  GetAccountRequest: { accountId: demoDebtorAccountId },
  ListAccountsRequest: { pageSize: 10 },
  UpdateAccountRequest: { accountId: demoDebtorAccountId, metadata: { purpose: "travel" } },
  GetBalanceRequest: { accountId: demoDebtorAccountId },
  ListEntriesRequest: { accountId: demoDebtorAccountId, pageSize: 10 },
  VerifyLedgerRequest: {},
};

const payment = {
  id: demoPaymentId,
  ...createPayment,
  sequence: 1,
  createTime: "2026-03-01T09:30:00.125Z",
  updateTime: "2026-03-01T09:30:00.125Z",
};

const settled = {
  ...payment,
  status: "PAYMENT_STATUS_SETTLED",
  debtorBalanceAfterMinor: "98750",
};

const rejected = {
  ...payment,
  status: "PAYMENT_STATUS_REJECTED",
  reason: "PAYMENT_REASON_INSUFFICIENT_FUNDS",
  reasonCode: "AM04",
  reasonDetail: "The debtor account's available balance is below the amount.",
};

/** An answer, without its zero values. */
interface ResponseExample {
  readonly summary: string;
  readonly value: JsonObject;
}

/** Examples of answers where the schema alone says too little, by the message's name. */
export const RESPONSE_EXAMPLES: Readonly<
  Record<string, Readonly<Record<string, ResponseExample>>>
> = {
  CreatePaymentResponse: {
    settled: { summary: "Settled", value: { payment: settled, replayed: false } },
    replayed: { summary: "The same request again", value: { payment: settled, replayed: true } },
    declined: { summary: "Declined", value: { payment: rejected, replayed: false } },
  },
};
