import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { MoneySchema } from "../../gen/instantpayment/v1/money_pb.ts";
import {
  PaymentAttemptSchema,
  PaymentReason,
  PaymentSchema,
  PaymentStatus,
  type Payment,
  type PaymentAttempt,
} from "../../gen/instantpayment/v1/payment_pb.ts";
import { REASON_CODES, type PaymentAttempt as StoredAttempt, type SeenPayment } from "./payment.ts";

/** The payment as the caller may see it from its sides. */
export function toPaymentMessage({ payment, asDebtor, asCreditor }: SeenPayment): Payment {
  const { reason } = payment;
  return create(PaymentSchema, {
    id: payment.id,
    idempotencyKey: asDebtor ? payment.idempotencyKey : "",
    debtorAccountId: payment.debtorAccountId,
    creditorAccountId: payment.creditorAccountId,
    amount: create(MoneySchema, {
      currencyCode: payment.currencyCode,
      amountMinor: payment.amountMinor,
    }),
    status: PaymentStatus[payment.status],
    reason: reason ? PaymentReason[reason] : PaymentReason.UNSPECIFIED,
    reasonCode: reason ? REASON_CODES[reason] : "",
    reasonDetail: payment.reasonDetail ?? "",
    endToEndId: payment.endToEndId,
    remittanceInformation: payment.remittanceInformation,
    metadata: asDebtor ? payment.metadata : {},
    sequence: payment.sequence,
    capturedMinor: payment.capturedMinor,
    refundedMinor: payment.refundedMinor,
    refundOfPaymentId: payment.refundOfPaymentId ?? "",
    retryOfPaymentId: (asDebtor && payment.retryOfPaymentId) || "",
    retriedByPaymentId: (asDebtor && payment.retriedByPaymentId) || "",
    attempts: asDebtor ? (payment.attempts ?? []).map(toAttempt) : [],
    expireTime: payment.expireTime ? timestampFromDate(payment.expireTime) : undefined,
    debtorBalanceAfterMinor: asDebtor ? (payment.debtorBalanceAfterMinor ?? undefined) : undefined,
    creditorBalanceAfterMinor: asCreditor
      ? (payment.creditorBalanceAfterMinor ?? undefined)
      : undefined,
    createTime: timestampFromDate(payment.createTime),
    updateTime: timestampFromDate(payment.updateTime),
  });
}

function toAttempt({ time, reason, nextTime }: StoredAttempt): PaymentAttempt {
  return create(PaymentAttemptSchema, {
    attemptTime: timestampFromDate(new Date(time)),
    reason: reason ? PaymentReason[reason] : PaymentReason.UNSPECIFIED,
    reasonCode: reason ? REASON_CODES[reason] : "",
    nextAttemptTime: nextTime ? timestampFromDate(new Date(nextTime)) : undefined,
  });
}
