import type { Money as WireMoney } from "../../gen/instantpayment/v1/money_pb.ts";
import type {
  Payment as WirePayment,
  PaymentEvent as WireEvent,
  PaymentAttempt as WireAttempt,
} from "../../gen/instantpayment/v1/payment_pb.ts";
import type {
  BatchCreatePaymentsError,
  BatchCreatePaymentsRequest,
  BatchCreatePaymentsResponse,
  BatchCreatePaymentsResult,
  CancelPaymentRequest,
  CapturePaymentRequest,
  CreatePaymentRequest,
  CreatePaymentResponse,
  ListPaymentsRequest,
  ListPaymentsResponse,
  RefundPaymentRequest,
  RetryPaymentRequest,
  RetryPolicy,
  WatchPaymentRequest,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import type * as sdk from "../../sdk/src/node.ts";

/** The fields of a generated message. */
export type FieldOf<Message> = Exclude<keyof Message, "$typeName" | "$unknown">;

/** The part of `REQUESTS` that is about payments. */
export const PAYMENT_REQUESTS = {
  CreatePaymentRequest: {
    idempotencyKey: "idempotencyKey",
    debtorAccountId: "debtorAccountId",
    creditorAccountId: "creditorAccountId",
    amount: "amount",
    endToEndId: "endToEndId",
    remittanceInformation: "remittanceInformation",
    metadata: "metadata",
    captureMode: "captureMode",
    holdDuration: "holdDurationMs",
    retryPolicy: "retryPolicy",
    expireTime: "expireTime",
    validateOnly: "validateOnly",
  } satisfies Record<FieldOf<CreatePaymentRequest>, keyof sdk.NewPayment>,
  RetryPolicy: {
    maxAttempts: "maxAttempts",
    initialBackoff: "initialBackoffMs",
    maxBackoff: "maxBackoffMs",
  } satisfies Record<FieldOf<RetryPolicy>, keyof sdk.PaymentRetryPolicy>,
  CapturePaymentRequest: {
    paymentId: "itself",
    idempotencyKey: "idempotencyKey",
    amount: "amount",
    final: "final",
  } satisfies Record<FieldOf<CapturePaymentRequest>, keyof sdk.CaptureOptions | "itself">,
  CancelPaymentRequest: {
    paymentId: "itself",
    idempotencyKey: "idempotencyKey",
  } satisfies Record<FieldOf<CancelPaymentRequest>, keyof sdk.ChangeOptions | "itself">,
  RefundPaymentRequest: {
    paymentId: "itself",
    idempotencyKey: "idempotencyKey",
    amount: "amount",
    remittanceInformation: "remittanceInformation",
  } satisfies Record<FieldOf<RefundPaymentRequest>, keyof sdk.RefundOptions | "itself">,
  RetryPaymentRequest: {
    paymentId: "itself",
    idempotencyKey: "idempotencyKey",
  } satisfies Record<FieldOf<RetryPaymentRequest>, keyof sdk.ChangeOptions | "itself">,
  BatchCreatePaymentsRequest: { requests: "itself", atomic: "atomic" } satisfies Record<
    FieldOf<BatchCreatePaymentsRequest>,
    keyof sdk.BatchOptions | "itself"
  >,
  GetPaymentRequest: { paymentId: "itself" },
  ListPaymentsRequest: {
    accountId: "accountId",
    status: "status",
    startTime: "startTime",
    endTime: "endTime",
    pageSize: "pageSize",
    pageToken: "pageToken",
  } satisfies Record<FieldOf<ListPaymentsRequest>, keyof sdk.PaymentFilter>,
  WatchPaymentRequest: { paymentId: "itself", afterSequence: "afterSequence" } satisfies Record<
    FieldOf<WatchPaymentRequest>,
    keyof sdk.WatchOptions | "itself"
  >,
};

/** The part of `ANSWERS` that is about payments. */
export const PAYMENT_ANSWERS = {
  Money: { currencyCode: "currencyCode", amountMinor: "value" } satisfies Record<
    FieldOf<WireMoney>,
    keyof sdk.Money
  >,
  Payment: {
    id: "id",
    idempotencyKey: "idempotencyKey",
    debtorAccountId: "debtorAccountId",
    creditorAccountId: "creditorAccountId",
    amount: "amount",
    status: "status",
    reason: "reason",
    reasonCode: "reasonCode",
    reasonDetail: "reasonDetail",
    endToEndId: "endToEndId",
    remittanceInformation: "remittanceInformation",
    metadata: "metadata",
    sequence: "sequence",
    capturedMinor: "captured",
    refundedMinor: "refunded",
    refundOfPaymentId: "refundOfPaymentId",
    retryOfPaymentId: "retryOfPaymentId",
    attempts: "attempts",
    expireTime: "expireTime",
    debtorBalanceAfterMinor: "debtorBalanceAfter",
    creditorBalanceAfterMinor: "creditorBalanceAfter",
    createTime: "createTime",
    updateTime: "updateTime",
    retriedByPaymentId: "retriedByPaymentId",
  } satisfies Record<FieldOf<WirePayment>, keyof sdk.Payment>,
  PaymentEvent: {
    eventId: "eventId",
    sequence: "sequence",
    type: "type",
    payment: "payment",
    previousStatus: "previousStatus",
    occurTime: "occurTime",
    debtorEntrySequence: "debtorEntrySequence",
    creditorEntrySequence: "creditorEntrySequence",
  } satisfies Record<FieldOf<WireEvent>, keyof sdk.PaymentEvent>,
  PaymentAttempt: {
    attemptTime: "attemptTime",
    reason: "reason",
    reasonCode: "reasonCode",
    nextAttemptTime: "nextAttemptTime",
  } satisfies Record<FieldOf<WireAttempt>, keyof sdk.PaymentAttempt>,
  CapturePaymentResponse: { payment: "itself", replayed: "replayed" },
  CancelPaymentResponse: { payment: "itself", replayed: "replayed" },
  RefundPaymentResponse: { payment: "itself", replayed: "replayed" },
  RetryPaymentResponse: { payment: "itself", replayed: "replayed" },
  CreatePaymentResponse: { payment: "itself", replayed: "replayed" } satisfies Record<
    FieldOf<CreatePaymentResponse>,
    keyof sdk.CreatedPayment | "itself"
  >,
  BatchCreatePaymentsResponse: { results: "itself" } satisfies Record<
    FieldOf<BatchCreatePaymentsResponse>,
    "itself"
  >,
  BatchCreatePaymentsResult: {
    payment: "payment",
    error: "error",
    replayed: "replayed",
  } satisfies Record<FieldOf<BatchCreatePaymentsResult>, keyof sdk.BatchResult>,
  BatchCreatePaymentsError: {
    code: "code",
    reason: "reason",
    message: "message",
    metadata: "metadata",
    retryDelay: "retryAfterMs",
  } satisfies Record<FieldOf<BatchCreatePaymentsError>, keyof sdk.InstantPaymentError>,
  GetPaymentResponse: { payment: "itself" },
  WatchPaymentResponse: { event: "itself" },
  ListPaymentsResponse: { payments: "items", nextPageToken: "nextPageToken" } satisfies Record<
    FieldOf<ListPaymentsResponse>,
    keyof sdk.Page<sdk.Payment>
  >,
};
