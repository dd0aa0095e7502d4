import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  CreatePaymentRequestSchema,
  type CreatePaymentRequest,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";

/** Fields of a request to set otherwise. */
export type PaymentChanges = Omit<MessageInitShape<typeof CreatePaymentRequestSchema>, "$typeName">;

/** The path of CreatePayment. */
export const CREATE_PAYMENT = "/instantpayment.v1.PaymentService/CreatePayment";

/** Accounts that a payment desk has opened, each for one behaviour. */
export const ACCOUNTS = {
  debtor: "0198c1f0-0000-7000-8000-000000000001",
  creditor: "0198c1f0-0000-7000-8000-000000000002",
  empty: "0198c1f0-0000-7000-8000-000000000003",
  inDollars: "0198c1f0-0000-7000-8000-000000000004",
  frozen: "0198c1f0-0000-7000-8000-000000000005",
  closed: "0198c1f0-0000-7000-8000-000000000006",
  /** With an unbounded overdraft. */
  bank: "0198c1f0-0000-7000-8000-000000000007",
  /** This one hasn't been opened. */
  unknown: "0198c1f0-0000-7000-8000-0000000000ff",
} as const;

/** A request that breaks no rule, with what differs. */
export function paymentRequest(changes: PaymentChanges = {}): CreatePaymentRequest {
  return create(CreatePaymentRequestSchema, {
    idempotencyKey: "key-1",
    debtorAccountId: ACCOUNTS.debtor,
    creditorAccountId: ACCOUNTS.creditor,
    amount: { currencyCode: "EUR", amountMinor: 500n },
    ...changes,
  });
}

/** The same as JSON members, for bodies that no message can be made of. */
export function paymentJson(changes: Readonly<Record<string, unknown>> = {}) {
  return {
    idempotencyKey: "key-1",
    debtorAccountId: ACCOUNTS.debtor,
    creditorAccountId: ACCOUNTS.creditor,
    amount: { currencyCode: "EUR", amountMinor: "500" },
    ...changes,
  };
}
