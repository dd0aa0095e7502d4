import type {
  Payment as WirePayment,
  PaymentAttempt as WireAttempt,
} from "../../gen/instantpayment/v1/payment_pb.ts";
import {
  PaymentReason as WireReason,
  PaymentStatus as WireStatus,
} from "../../gen/instantpayment/v1/payment_pb.ts";
import { fromMinorUnits, type Money } from "./money.ts";
import { dateOf, nameOf, type NameOut } from "./wire.ts";

/** Where a payment stands. PENDING and HELD are open; the others never change. */
export type PaymentStatus = NameOut<typeof WireStatus>;

/** Why a payment was rejected, or why its latest attempt failed. */
export type PaymentReason = NameOut<typeof WireReason>;

/** A payment and what became of it. Plain data: `JSON.stringify` takes it as it is. */
export interface Payment {
  /** A UUID made by the service; empty on a payment that was only validated. */
  readonly id: string;
  /** The key it was sent with. Shown to the debtor's side only, otherwise empty. */
  readonly idempotencyKey: string;
  readonly debtorAccountId: string;
  readonly creditorAccountId: string;
  readonly amount: Money;
  readonly status: PaymentStatus;
  /** Why it was rejected, or why its latest attempt failed; undefined if nothing did. */
  readonly reason: PaymentReason | undefined;
  /** `reason` as the code of ISO 20022, for example `AM04`; empty without a reason. */
  readonly reasonCode: string;
  /** `reason` in a sentence for people; empty without a reason. */
  readonly reasonDetail: string;
  readonly endToEndId: string;
  readonly remittanceInformation: string;
  /** The caller's own pairs. Shown to the debtor's side only. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The number of the latest visible change: 1, 2, 3 ... without a gap. */
  readonly sequence: number;
  /** How much of the amount has been booked, as a decimal. */
  readonly captured: string;
  /** How much went back by refunds, as a decimal. */
  readonly refunded: string;
  /** For a refund: the payment that it gives back; otherwise empty. */
  readonly refundOfPaymentId: string;
  /** For a payment made by retryPayment: the one that it tries again; otherwise empty. */
  readonly retryOfPaymentId: string;
  /** For a rejected payment that was tried again: the payment that did; otherwise empty. */
  readonly retriedByPaymentId: string;
  /** Each try, if there is a retry policy. Shown to the debtor's side only. */
  readonly attempts: readonly PaymentAttempt[];
  /** From when on it can't settle; undefined if there is no limit. */
  readonly expireTime: Date | undefined;
  /** The debtor's posted balance right after it, as a decimal; for the debtor's side only. */
  readonly debtorBalanceAfter: string | undefined;
  /** The creditor's posted balance right after it, as a decimal; for the creditor's side only. */
  readonly creditorBalanceAfter: string | undefined;
  readonly createTime: Date;
  readonly updateTime: Date;
}

/** One try to make a payment that has a retry policy. */
export interface PaymentAttempt {
  readonly attemptTime: Date;
  /** Why it failed; undefined for the one that succeeded. */
  readonly reason: PaymentReason | undefined;
  /** `reason` as the code of ISO 20022; empty without a reason. */
  readonly reasonCode: string;
  /** When the next one is due; undefined if none is planned. */
  readonly nextAttemptTime: Date | undefined;
}

/** A payment as a method that makes or changes one answers it. */
export interface CreatedPayment extends Payment {
  /** True if an earlier request with the same key made it, a lost attempt of this call included. */
  readonly replayed: boolean;
}

/** A payment off the wire. Throws INVALID_FIELD if this package doesn't know the currency. */
export function paymentFromWire(payment: WirePayment): Payment {
  const { currencyCode, amountMinor } = payment.amount!;
  const decimal = (minor: bigint) => fromMinorUnits(minor, currencyCode);
  const { expireTime, debtorBalanceAfterMinor, creditorBalanceAfterMinor } = payment;
  return {
    id: payment.id,
    idempotencyKey: payment.idempotencyKey,
    debtorAccountId: payment.debtorAccountId,
    creditorAccountId: payment.creditorAccountId,
    amount: { value: decimal(amountMinor), currencyCode },
    status: nameOf(WireStatus, payment.status) ?? "UNRECOGNIZED",
    reason: nameOf(WireReason, payment.reason),
    reasonCode: payment.reasonCode,
    reasonDetail: payment.reasonDetail,
    endToEndId: payment.endToEndId,
    remittanceInformation: payment.remittanceInformation,
    metadata: { ...payment.metadata },
    sequence: payment.sequence,
    captured: decimal(payment.capturedMinor),
    refunded: decimal(payment.refundedMinor),
    refundOfPaymentId: payment.refundOfPaymentId,
    retryOfPaymentId: payment.retryOfPaymentId,
    retriedByPaymentId: payment.retriedByPaymentId,
    attempts: payment.attempts.map(attemptFromWire),
    expireTime: expireTime && dateOf(expireTime),
    debtorBalanceAfter:
      debtorBalanceAfterMinor === undefined ? undefined : decimal(debtorBalanceAfterMinor),
    creditorBalanceAfter:
      creditorBalanceAfterMinor === undefined ? undefined : decimal(creditorBalanceAfterMinor),
    createTime: dateOf(payment.createTime),
    updateTime: dateOf(payment.updateTime),
  };
}

function attemptFromWire(attempt: WireAttempt): PaymentAttempt {
  const { nextAttemptTime } = attempt;
  return {
    attemptTime: dateOf(attempt.attemptTime),
    reason: nameOf(WireReason, attempt.reason),
    reasonCode: attempt.reasonCode,
    nextAttemptTime: nextAttemptTime && dateOf(nextAttemptTime),
  };
}
