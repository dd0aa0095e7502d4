import type { AccountState } from "../accounts/account.ts";
import { invalidField, ServiceError } from "../kernel/errors.ts";
import {
  findDecline,
  isShownToCreditor,
  REFUSALS,
  type PaymentAction,
} from "../payments/payment.ts";
import type { PaymentRow } from "../payments/payment.entity.ts";
import type {
  Amount,
  CancelCommand,
  CaptureCommand,
  DueCommand,
  RefundCommand,
  RetryCommand,
  TargetCommand,
} from "../payments/payment-command.ts";
import { bookingTime, tryAgain, tryNew } from "./decide-payment.ts";
import { bookPayment, holdFunds, noteUpdate, type Posting } from "./posting.ts";

/**
 * Books what is held, or a part of it; releases the rest unless more captures are to come, which is
 * up to the creditor's side.
 */
export function decideCapture(posting: Posting, command: CaptureCommand, now: Date): PaymentRow {
  const { payment, debtor, creditor, isCreditors, time } = find(posting, command, now);
  refuseByState("capture", payment, time);
  const heldMinor = heldOf(payment);
  const amountMinor = amountOf(command.amount, payment) ?? heldMinor;
  if (amountMinor > heldMinor) {
    throw new ServiceError("CAPTURE_EXCEEDS_HOLD", {
      metadata: { held_minor: heldMinor.toString() },
    });
  }
  // Or whoever promised the funds could take them back by capturing next to nothing.
  if (!isCreditors && command.final && amountMinor < heldMinor) {
    throw new ServiceError("CAPTURE_WOULD_RELEASE");
  }
  const free = { ...debtor, heldMinor: debtor.heldMinor - amountMinor };
  const declined = findDecline(free, creditor, payment.currencyCode, amountMinor);
  if (declined) {
    throw new ServiceError("CAPTURE_DECLINED", {
      message: declined.detail,
      metadata: { payment_reason: declined.reason },
    });
  }
  const isLast = command.final || amountMinor === heldMinor;
  const releaseMinor = isLast ? heldMinor : amountMinor;
  const booked = bookPayment(posting, payment, { amountMinor, releaseMinor, time });
  const change: Partial<PaymentRow> = {
    capturedMinor: payment.capturedMinor + amountMinor,
    debtorBalanceAfterMinor: booked.debtor.postedMinor,
    creditorBalanceAfterMinor: booked.creditor.postedMinor,
    ...(isLast && { status: "SETTLED", dueTime: null }),
  };
  return noteUpdate(posting, payment, change, {
    type: isLast ? "SETTLED" : "CAPTURED",
    time,
    booked,
  });
}

/** Ends a pending payment for its debtor's side, a held one for its creditor's. */
export function decideCancel(posting: Posting, command: CancelCommand, now: Date): PaymentRow {
  const { payment, isCreditors, time } = find(posting, command, now);
  // Pending, it's seen by the debtor's side alone.
  if (payment.status === "HELD" && !isCreditors) throw new ServiceError("PAYMENT_NOT_FOUND");
  refuseByState("cancel", payment, time);
  return end(posting, payment, "CANCELLED", time);
}

/** Pays back what was captured by a payment of its own, which may be rejected for lack of funds. */
export function decideRefund(posting: Posting, command: RefundCommand, now: Date): PaymentRow {
  const { payment, isCreditors, time } = find(posting, command, now);
  if (!isCreditors) throw new ServiceError("PAYMENT_NOT_FOUND");
  if (payment.refundOfPaymentId) throw new ServiceError("PAYMENT_IS_REFUND");
  refuseByStatus("refund", payment);
  if (payment.capturedMinor === 0n) throw new ServiceError("PAYMENT_NOT_CAPTURED");
  const leftMinor = payment.capturedMinor - payment.refundedMinor;
  const amountMinor = amountOf(command.amount, payment) ?? leftMinor;
  if (amountMinor > leftMinor || leftMinor === 0n) {
    throw new ServiceError("REFUND_EXCEEDS_CAPTURED", {
      metadata: { refundable_minor: leftMinor.toString() },
    });
  }
  const refund = tryNew(
    posting,
    {
      ...identity(command),
      debtorAccountId: payment.creditorAccountId,
      creditorAccountId: payment.debtorAccountId,
      currencyCode: payment.currencyCode,
      amountMinor,
      endToEndId: payment.endToEndId,
      remittanceInformation: command.remittanceInformation,
      metadata: {},
      holdDurationMs: null,
      retryPolicy: null,
      expireTime: null,
      refundOfPaymentId: payment.id,
    },
    time,
  );
  if (refund.status === "SETTLED") {
    const refundedMinor = payment.refundedMinor + amountMinor;
    noteUpdate(posting, payment, { refundedMinor }, { type: "REFUNDED", time });
  }
  return refund;
}

/** Tries a pending payment now, or a rejected one once more by a payment of its own. */
export function decideRetry(posting: Posting, command: RetryCommand, now: Date): PaymentRow {
  const { payment, isDebtors, time } = find(posting, command, now);
  if (!isDebtors) throw new ServiceError("PAYMENT_NOT_FOUND");
  refuseByState("retry", payment, time);
  if (payment.status === "PENDING") return tryAgain(posting, payment, time);
  if (payment.refundOfPaymentId) throw new ServiceError("PAYMENT_IS_REFUND");
  if (payment.retriedByPaymentId) {
    throw new ServiceError("PAYMENT_ALREADY_RETRIED", {
      metadata: { payment_id: payment.retriedByPaymentId },
    });
  }
  noteUpdate(posting, payment, { retriedByPaymentId: command.id }, { type: "RETRIED", time });
  const { holdDurationMs, retryPolicy, expireTime } = payment;
  const limit = expireTime && expireTime > time ? expireTime : null;
  const retry = { holdDurationMs, retryPolicy, expireTime: limit, retryOfPaymentId: payment.id };
  return tryNew(
    posting,
    { ...payment, ...identity(command), ...retry, refundOfPaymentId: null },
    time,
  );
}

/** Expires an overdue payment or makes an attempt that is due; the payment as it is, if neither. */
export function decideDue(posting: Posting, command: DueCommand, now: Date): PaymentRow {
  const payment = posting.existing.get(command.target.id);
  if (!payment) throw new ServiceError("PAYMENT_NOT_FOUND");
  if (payment.sequence !== command.sequence || payment.dueTime === null) return payment;
  const time = bookingTime(posting, payment, now);
  if (isOverdue(payment, now)) return end(posting, payment, "EXPIRED", time);
  const nextTime = payment.attempts?.at(-1)?.nextTime;
  const isDue = payment.status === "PENDING" && nextTime && new Date(nextTime) <= now;
  // Nothing is booked once its time is up, by the accounts' own time too.
  return isDue && !isOverdue(payment, time) ? tryAgain(posting, payment, time) : payment;
}

interface Found {
  readonly payment: PaymentRow;
  readonly debtor: AccountState;
  readonly creditor: AccountState | undefined;
  /** The caller acts for this side. */
  readonly isDebtors: boolean;
  readonly isCreditors: boolean;
  readonly time: Date;
}

/** The payment of a command with its accounts; PAYMENT_NOT_FOUND unless the caller may see it. */
function find(posting: Posting, command: TargetCommand, now: Date): Found {
  const payment = posting.existing.get(command.target.id);
  const debtor = payment && posting.accounts.get(payment.debtorAccountId);
  if (!payment || !debtor) throw new ServiceError("PAYMENT_NOT_FOUND");
  const creditor = posting.accounts.get(payment.creditorAccountId);
  const isDebtors = command.isAdmin || debtor.ownerId === command.ownerId;
  const isCreditors =
    command.isAdmin || (creditor?.ownerId === command.ownerId && isShownToCreditor(payment));
  if (!isDebtors && !isCreditors) throw new ServiceError("PAYMENT_NOT_FOUND");
  const time = bookingTime(posting, payment, now);
  return { payment, debtor, creditor, isDebtors, isCreditors, time };
}

function refuseByStatus(action: PaymentAction, payment: PaymentRow): void {
  const refusal = REFUSALS[action][payment.status];
  if (refusal) throw new ServiceError(refusal);
}

/** Refuses what the status forbids, and whatever comes too late for an open payment. */
function refuseByState(action: PaymentAction, payment: PaymentRow, time: Date): void {
  refuseByStatus(action, payment);
  if (isOverdue(payment, time)) throw new ServiceError("PAYMENT_EXPIRED");
}

function isOverdue(payment: PaymentRow, time: Date): boolean {
  return payment.dueTime !== null && payment.expireTime !== null && payment.expireTime <= time;
}

function heldOf(payment: PaymentRow): bigint {
  return payment.status === "HELD" ? payment.amountMinor - payment.capturedMinor : 0n;
}

/** Ends an open payment and releases what it holds; settled if a part of it was captured. */
function end(
  posting: Posting,
  payment: PaymentRow,
  how: "CANCELLED" | "EXPIRED",
  time: Date,
): PaymentRow {
  const heldMinor = heldOf(payment);
  if (heldMinor > 0n) holdFunds(posting, payment.debtorAccountId, -heldMinor, time);
  const status = payment.capturedMinor > 0n ? "SETTLED" : how;
  return noteUpdate(posting, payment, { status, dueTime: null }, { type: status, time });
}

function amountOf(amount: Amount | undefined, payment: PaymentRow): bigint | undefined {
  if (amount && amount.currencyCode !== payment.currencyCode) {
    throw invalidField("amount.currency_code", `must be the payment's, ${payment.currencyCode}`);
  }
  return amount?.amountMinor;
}

function identity({ id, createTime, ownerId, idempotencyKey }: TargetCommand) {
  return { id, createTime, ownerId, idempotencyKey };
}
