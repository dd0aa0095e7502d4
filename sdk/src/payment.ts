import type { Payment as WirePayment } from "../../gen/instantpayment/v1/payment_pb.ts";
import {
  PaymentReason as WireReason,
  PaymentStatus as WireStatus,
} from "../../gen/instantpayment/v1/payment_pb.ts";
import {
  type CreatePaymentRequest,
  CreatePaymentRequestSchema,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { invalidInput } from "./error.ts";
import { randomId } from "./ids.ts";
import { fromMinorUnits, type Money, positiveMinorUnits } from "./money.ts";
import { dateOf, nameOf, type NameOut, requestOf, timestampOf } from "./wire.ts";

/** Where a payment stands. SETTLED and REJECTED never change. */
export type PaymentStatus = NameOut<typeof WireStatus>;

/** Why a payment was rejected. */
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
  /** Why it was rejected; undefined otherwise. */
  readonly reason: PaymentReason | undefined;
  /** `reason` as the code of ISO 20022, for example `AM04`; empty if it wasn't rejected. */
  readonly reasonCode: string;
  /** `reason` in a sentence for people; empty if it wasn't rejected. */
  readonly reasonDetail: string;
  readonly endToEndId: string;
  readonly remittanceInformation: string;
  /** The caller's own pairs. Shown to the debtor's side only. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The number of the latest visible change: 1, 2, 3 ... without a gap. */
  readonly sequence: number;
  /** Until when it may settle; undefined if the caller set no limit. */
  readonly expireTime: Date | undefined;
  /** The debtor's posted balance right after it, as a decimal; for the debtor's side only. */
  readonly debtorBalanceAfter: string | undefined;
  /** The creditor's posted balance right after it, as a decimal; for the creditor's side only. */
  readonly creditorBalanceAfter: string | undefined;
  readonly createTime: Date;
  readonly updateTime: Date;
}

/** A payment as createPayment answers it. */
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
    expireTime: expireTime && dateOf(expireTime),
    debtorBalanceAfter:
      debtorBalanceAfterMinor === undefined ? undefined : decimal(debtorBalanceAfterMinor),
    creditorBalanceAfter:
      creditorBalanceAfterMinor === undefined ? undefined : decimal(creditorBalanceAfterMinor),
    createTime: dateOf(payment.createTime),
    updateTime: dateOf(payment.updateTime),
  };
}

/**
 * The request for a payment, with a key if the caller gave none. `at` goes before the names of
 * fields in errors. Throws INVALID_FIELD.
 */
export function createPaymentRequest(payment: NewPayment, at = ""): CreatePaymentRequest {
  const { amount, expireTime, idempotencyKey = randomId(), ...rest } = payment;
  if (typeof amount !== "object" || amount === null) {
    throw invalidInput(`${at}amount`, 'must be such as { value: "12.50", currencyCode: "EUR" }');
  }
  return requestOf(CreatePaymentRequestSchema, {
    ...rest,
    idempotencyKey,
    amount: {
      currencyCode: amount.currencyCode,
      amountMinor: positiveMinorUnits(amount.value, amount.currencyCode, {
        value: `${at}amount.value`,
        currencyCode: `${at}amount.currencyCode`,
      }),
    },
    expireTime: timestampOf(expireTime, `${at}expireTime`),
  });
}
