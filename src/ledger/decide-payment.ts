import { ServiceError } from "../kernel/errors.ts";
import { CAN_PASS, findDecline, type Decline, type PaymentAttempt } from "../payments/payment.ts";
import type { PaymentRow } from "../payments/payment.entity.ts";
import type { CreateCommand } from "../payments/payment-command.ts";
import { attemptWaitMs } from "../payments/retry-schedule.ts";
import {
  bookPayment,
  holdFunds,
  latest,
  noteNew,
  noteUpdate,
  type Booked,
  type Posting,
} from "./posting.ts";

const DAY_MS = 24 * 3_600_000;

/**
 * Decides one new payment after all before it and notes what to write. Returns the payment,
 * settled, held, pending or rejected; throws a ServiceError, with nothing noted, if the call is
 * refused.
 */
export function decidePayment(posting: Posting, command: CreateCommand, now: Date): PaymentRow {
  const { request, createTime } = command;
  const debtor = posting.accounts.get(request.debtorAccountId);
  const time = bookingTime(posting, request, now);
  if (request.expireTime && request.expireTime <= time) {
    throw new ServiceError("EXPIRE_TIME_PASSED");
  }
  if (!debtor || (debtor.ownerId !== command.ownerId && !command.isAdmin)) {
    throw debtorNotFound();
  }
  const { id, ownerId, idempotencyKey } = command;
  return tryNew(posting, { ...request, id, createTime, ownerId, idempotencyKey }, time);
}

/** The refusal to pay from an account that isn't there or isn't the caller's. */
export function debtorNotFound(): ServiceError {
  return new ServiceError("ACCOUNT_NOT_FOUND", { metadata: { field: "debtor_account_id" } });
}

/** When something is booked: never before what is on either account, or of the payment, already. */
export function bookingTime(
  posting: Posting,
  payment: Pick<PaymentRow, "debtorAccountId" | "creditorAccountId"> &
    Partial<Pick<PaymentRow, "updateTime">>,
  now: Date,
): Date {
  const debtor = posting.accounts.get(payment.debtorAccountId);
  const creditor = posting.accounts.get(payment.creditorAccountId);
  const times = [debtor?.updateTime, creditor?.updateTime, payment.updateTime];
  return latest(now, ...times.filter((time) => time !== undefined));
}

/** A payment before its first attempt. */
export type NewPayment = Pick<
  PaymentRow,
  | "id"
  | "createTime"
  | "ownerId"
  | "idempotencyKey"
  | "debtorAccountId"
  | "creditorAccountId"
  | "currencyCode"
  | "amountMinor"
  | "endToEndId"
  | "remittanceInformation"
  | "metadata"
  | "holdDurationMs"
  | "retryPolicy"
  | "expireTime"
> &
  Partial<Pick<PaymentRow, "refundOfPaymentId" | "retryOfPaymentId">>;

/** Makes the first attempt of a payment and notes the payment. */
export function tryNew(posting: Posting, payment: NewPayment, time: Date): PaymentRow {
  const start: PaymentRow = {
    id: payment.id,
    createTime: payment.createTime,
    ownerId: payment.ownerId,
    idempotencyKey: payment.idempotencyKey,
    debtorAccountId: payment.debtorAccountId,
    creditorAccountId: payment.creditorAccountId,
    currencyCode: payment.currencyCode,
    amountMinor: payment.amountMinor,
    status: "REJECTED",
    reason: null,
    reasonDetail: null,
    endToEndId: payment.endToEndId,
    remittanceInformation: payment.remittanceInformation,
    metadata: payment.metadata,
    expireTime: payment.expireTime,
    sequence: 1,
    capturedMinor: 0n,
    refundedMinor: 0n,
    refundOfPaymentId: payment.refundOfPaymentId ?? null,
    retryOfPaymentId: payment.retryOfPaymentId ?? null,
    retriedByPaymentId: null,
    holdDurationMs: payment.holdDurationMs,
    retryPolicy: payment.retryPolicy,
    attempts: payment.retryPolicy && [],
    dueTime: null,
    debtorBalanceAfterMinor: null,
    creditorBalanceAfterMinor: null,
    updateTime: latest(time, payment.createTime),
  };
  start.expireTime ??= defaultExpireTime(start, time);
  const { change, booked } = attempt(posting, start, time);
  return noteNew(posting, { ...start, ...change }, time, booked);
}

/** Makes the next attempt of a pending payment and notes what became of it. */
export function tryAgain(posting: Posting, payment: PaymentRow, time: Date): PaymentRow {
  const { change, booked } = attempt(posting, payment, time);
  const type = change.status === "PENDING" ? "ATTEMPTED" : change.status;
  return noteUpdate(posting, payment, change, { type, time, booked });
}

/** With a policy a day, with a hold its end, with both their sum; otherwise none. */
function defaultExpireTime({ holdDurationMs, retryPolicy }: PaymentRow, time: Date): Date | null {
  if (holdDurationMs === null && retryPolicy === null) return null;
  return new Date(time.getTime() + (retryPolicy ? DAY_MS : 0) + (holdDurationMs ?? 0));
}

type Outcome = Pick<PaymentRow, "status" | "reason" | "reasonDetail" | "dueTime" | "attempts"> &
  Partial<PaymentRow>;

/** Books or holds the payment if the rules let it; what to write of it otherwise. */
function attempt(
  posting: Posting,
  payment: PaymentRow,
  time: Date,
): { change: Outcome; booked?: Booked } {
  const { amountMinor, holdDurationMs } = payment;
  const debtor = posting.accounts.get(payment.debtorAccountId)!;
  const creditor = posting.accounts.get(payment.creditorAccountId);
  const declined = findDecline(debtor, creditor, payment.currencyCode, amountMinor);
  if (declined) return { change: failed(payment, declined, time) };
  const passed = {
    reason: null,
    reasonDetail: null,
    attempts: withAttempt(payment, { time: time.toISOString(), reason: null, nextTime: null }),
  };
  if (holdDurationMs !== null) {
    holdFunds(posting, debtor.id, amountMinor, time);
    const end = new Date(time.getTime() + holdDurationMs);
    const expireTime = payment.expireTime && payment.expireTime < end ? payment.expireTime : end;
    return { change: { ...passed, status: "HELD", expireTime, dueTime: expireTime } };
  }
  const booked = bookPayment(posting, payment, { amountMinor, releaseMinor: 0n, time });
  const change: Outcome = {
    ...passed,
    status: "SETTLED",
    capturedMinor: amountMinor,
    dueTime: null,
    debtorBalanceAfterMinor: booked.debtor.postedMinor,
    creditorBalanceAfterMinor: booked.creditor.postedMinor,
  };
  return { change, booked };
}

function withAttempt(payment: PaymentRow, made: PaymentAttempt): PaymentRow["attempts"] {
  return payment.attempts && [...payment.attempts, made];
}

/** Pending if another attempt may help and is allowed, otherwise rejected. */
function failed(payment: PaymentRow, { reason, detail }: Decline, time: Date): Outcome {
  const { retryPolicy, attempts, expireTime } = payment;
  const number = (attempts?.length ?? 0) + 1;
  const made = { time: time.toISOString(), reason };
  const decline = { reason, reasonDetail: detail };
  if (!retryPolicy || !expireTime || !CAN_PASS[reason] || number >= retryPolicy.maxAttempts) {
    const last = withAttempt(payment, { ...made, nextTime: null });
    return { ...decline, status: "REJECTED", attempts: last, dueTime: null };
  }
  const next = new Date(time.getTime() + attemptWaitMs(payment.id, number, retryPolicy));
  const isInTime = next < expireTime;
  return {
    ...decline,
    status: "PENDING",
    attempts: withAttempt(payment, { ...made, nextTime: isInTime ? next.toISOString() : null }),
    dueTime: isInTime ? next : expireTime,
  };
}
