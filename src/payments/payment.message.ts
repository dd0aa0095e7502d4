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
import type { PaymentRow } from "./payment.entity.ts";
import { REASON_CODES, type PaymentAttempt as StoredAttempt, type SeenPayment } from "./payment.ts";

/** The payment as the caller may see it from its sides. */
export function toPaymentMessage(seen: SeenPayment): Payment {
  return hideOtherSide(toWholeMessage(seen.payment), seen);
}

/** Takes out of a message what only the side may see that its reader isn't on. */
export function hideOtherSide(
  message: Payment,
  { asDebtor, asCreditor }: Pick<SeenPayment, "asDebtor" | "asCreditor">,
): Payment {
  if (!asDebtor) {
    message.idempotencyKey = "";
    message.metadata = {};
    message.retryOfPaymentId = "";
    message.retriedByPaymentId = "";
    message.attempts = [];
    message.debtorBalanceAfterMinor = undefined;
  }
  if (!asCreditor) message.creditorBalanceAfterMinor = undefined;
  return message;
}

function toWholeMessage(payment: PaymentRow): Payment {
  const { reason } = payment;
  return create(PaymentSchema, {
    id: payment.id,
    idempotencyKey: payment.idempotencyKey,
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
    metadata: payment.metadata,
    sequence: payment.sequence,
    capturedMinor: payment.capturedMinor,
    refundedMinor: payment.refundedMinor,
    refundOfPaymentId: payment.refundOfPaymentId ?? "",
    retryOfPaymentId: payment.retryOfPaymentId ?? "",
    retriedByPaymentId: payment.retriedByPaymentId ?? "",
    attempts: (payment.attempts ?? []).map(toAttempt),
    expireTime: payment.expireTime ? timestampFromDate(payment.expireTime) : undefined,
    debtorBalanceAfterMinor: payment.debtorBalanceAfterMinor ?? undefined,
    creditorBalanceAfterMinor: payment.creditorBalanceAfterMinor ?? undefined,
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
