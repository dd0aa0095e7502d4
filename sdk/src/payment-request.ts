import {
  CaptureMode as WireMode,
  type CreatePaymentRequest,
  CreatePaymentRequestSchema,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { invalidInput } from "./error.ts";
import { randomId } from "./ids.ts";
import { type MembersOf, onlyKnown } from "./members.ts";
import { MONEY, type Money, positiveMinorUnits } from "./money.ts";
import { durationOf, type NameIn, numberOf, requestOf, timestampOf } from "./wire.ts";

/** How often and when the service tries a payment again. */
export interface PaymentRetryPolicy {
  /** The first one included, 1 to 20. Default 5. */
  readonly maxAttempts?: number;
  /**
   * The wait after the first attempt, before up to half of it is left out; it doubles with each.
   * Default 1,000.
   */
  readonly initialBackoffMs?: number;
  /** The longest wait. Default an hour. */
  readonly maxBackoffMs?: number;
}

const RETRY_POLICY: MembersOf<PaymentRetryPolicy> = {
  maxAttempts: true,
  initialBackoffMs: true,
  maxBackoffMs: true,
};

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

const NEW_PAYMENT: MembersOf<NewPayment> = {
  debtorAccountId: true,
  creditorAccountId: true,
  amount: true,
  idempotencyKey: true,
  endToEndId: true,
  remittanceInformation: true,
  metadata: true,
  captureMode: true,
  holdDurationMs: true,
  retryPolicy: true,
  expireTime: true,
  validateOnly: true,
};

/** An amount above zero for the wire. `at` goes before the names of fields. Throws INVALID_FIELD. */
export function amountForWire(amount: Money, at = "") {
  if (typeof amount !== "object" || amount === null) {
    throw invalidInput(`${at}amount`, 'must be such as { value: "12.50", currencyCode: "EUR" }');
  }
  onlyKnown(amount, MONEY, `${at}amount`, `${at}amount.`);
  return {
    currencyCode: amount.currencyCode,
    amountMinor: positiveMinorUnits(amount.value, amount.currencyCode, {
      value: `${at}amount.value`,
      currencyCode: `${at}amount.currencyCode`,
    }),
  };
}

/**
 * The request for a payment, with a key if the caller gave none. Errors call the payment `name`,
 * and `at` goes before the names of its fields. Throws INVALID_FIELD.
 */
export function createPaymentRequest(
  payment: NewPayment,
  name = "payment",
  at = "",
): CreatePaymentRequest {
  const known = onlyKnown(payment, NEW_PAYMENT, name, at);
  const { amount, expireTime, captureMode, holdDurationMs, retryPolicy, ...given } = known;
  const { idempotencyKey = randomId(), ...rest } = given;
  const init = {
    ...rest,
    idempotencyKey,
    amount: amountForWire(amount, at),
    captureMode: numberOf(WireMode, captureMode, `${at}captureMode`),
    holdDuration: durationOf(holdDurationMs, `${at}holdDurationMs`),
    retryPolicy:
      retryPolicy === undefined ? undefined : policyForWire(retryPolicy, `${at}retryPolicy`),
    expireTime: timestampOf(expireTime, `${at}expireTime`),
  };
  return requestOf(CreatePaymentRequestSchema, init, at);
}

function policyForWire(policy: PaymentRetryPolicy, name: string) {
  const { maxAttempts, initialBackoffMs, maxBackoffMs } = onlyKnown(
    policy,
    RETRY_POLICY,
    name,
    `${name}.`,
  );
  return {
    maxAttempts,
    initialBackoff: durationOf(initialBackoffMs, `${name}.initialBackoffMs`),
    maxBackoff: durationOf(maxBackoffMs, `${name}.maxBackoffMs`),
  };
}
