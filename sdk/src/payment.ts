import type {
  Payment as WirePayment,
  PaymentAttempt as WireAttempt,
} from "../../gen/instantpayment/v1/payment_pb.ts";
import {
  PaymentReason as WireReason,
  PaymentStatus as WireStatus,
} from "../../gen/instantpayment/v1/payment_pb.ts";
import {
  CaptureMode as WireMode,
  type CreatePaymentRequest,
  CreatePaymentRequestSchema,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { invalidInput } from "./error.ts";
import { randomId } from "./ids.ts";
import { fromMinorUnits, type Money, positiveMinorUnits } from "./money.ts";
import {
  dateOf,
  durationOf,
  nameOf,
  type NameIn,
  type NameOut,
  numberOf,
  requestOf,
  timestampOf,
} from "./wire.ts";

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

/** How often and when the service tries a payment again. */
export interface PaymentRetryPolicy {
  /** The first one included, 1 to 20. Default 5. */
  readonly maxAttempts?: number;
  /** The wait after the first attempt; it doubles with each. Default 1,000. */
  readonly initialBackoffMs?: number;
  /** The longest wait. Default an hour. */
  readonly maxBackoffMs?: number;
}

/** A payment as a method that makes or changes one answers it. */
export interface CreatedPayment extends Payment {
  /** True if an earlier request with the same key made it, a lost attempt of this call included. */
  readonly replayed: boolean;
}

/** What to pay. */
export interface NewPayment {
  /** The account that pays, a UUID; it must be the caller's. */
  readonly debtorAccountId: string;
  /** The account that is paid, a UUID. */
  readonly creditorAccountId: string;
  /** What to pay, in the currency of both accounts: `{ value: "12.50", currencyCode: "EUR" }`. */
  readonly amount: Money;
  /**
   * One per payment: 1 to 128 printable ASCII characters. Made by the client if absent and kept
   * over its retries. Give your own, kept with your order, to repeat a payment after a crash.
   */
  readonly idempotencyKey?: string | undefined;
  /** Your reference, at most 35 characters. */
  readonly endToEndId?: string;
  /** What it's for, at most 140 characters. */
  readonly remittanceInformation?: string;
  /** Your own pairs, at most 50. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** MANUAL: hold the funds until capturePayment. Default AUTOMATIC: book at once. */
  readonly captureMode?: NameIn<typeof WireMode>;
  /** How long to hold at most, 1 second to 7 days; only for MANUAL. Default 7 days. */
  readonly holdDurationMs?: number;
  /** Try again if funds are missing or an account is frozen. Default: reject at once. */
  readonly retryPolicy?: PaymentRetryPolicy;
  /** The payment can't settle from this moment on. */
  readonly expireTime?: Date;
  /** Run every check and write nothing. */
  readonly validateOnly?: boolean;
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

/** An amount above zero for the wire. `at` goes before the names of fields. Throws INVALID_FIELD. */
export function amountForWire(amount: Money, at = "") {
  if (typeof amount !== "object" || amount === null) {
    throw invalidInput(`${at}amount`, 'must be such as { value: "12.50", currencyCode: "EUR" }');
  }
  return {
    currencyCode: amount.currencyCode,
    amountMinor: positiveMinorUnits(amount.value, amount.currencyCode, {
      value: `${at}amount.value`,
      currencyCode: `${at}amount.currencyCode`,
    }),
  };
}

/**
 * The request for a payment, with a key if the caller gave none. `at` goes before the names of
 * fields in errors. Throws INVALID_FIELD.
 */
export function createPaymentRequest(payment: NewPayment, at = ""): CreatePaymentRequest {
  const { amount, expireTime, captureMode, holdDurationMs, retryPolicy, ...given } = payment;
  const { idempotencyKey = randomId(), ...rest } = given;
  return requestOf(CreatePaymentRequestSchema, {
    ...rest,
    idempotencyKey,
    amount: amountForWire(amount, at),
    captureMode: numberOf(WireMode, captureMode, `${at}captureMode`),
    holdDuration: durationOf(holdDurationMs, `${at}holdDurationMs`),
    retryPolicy: retryPolicy && {
      maxAttempts: retryPolicy.maxAttempts,
      initialBackoff: durationOf(retryPolicy.initialBackoffMs, `${at}retryPolicy.initialBackoffMs`),
      maxBackoff: durationOf(retryPolicy.maxBackoffMs, `${at}retryPolicy.maxBackoffMs`),
    },
    expireTime: timestampOf(expireTime, `${at}expireTime`),
  });
}
