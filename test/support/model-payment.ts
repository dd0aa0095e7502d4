import type { PaymentAction } from "../../src/payments/payment.ts";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";

/** What the model knows of an account; times in milliseconds since 1970. */
export interface ModelAccount {
  readonly ownerId: string;
  readonly overdraftMinor: bigint;
  postedMinor: bigint;
  heldMinor: bigint;
  frozen: boolean;
  timeMs: number;
}

/** What the model knows of a payment. */
export interface ModelPayment {
  readonly debtor: string;
  readonly creditor: string;
  readonly amountMinor: bigint;
  readonly holdMs: number | null;
  readonly policy: PaymentRow["retryPolicy"];
  readonly refundOf: string | null;
  status: PaymentRow["status"];
  reason: PaymentRow["reason"];
  sequence: number;
  capturedMinor: bigint;
  refundedMinor: bigint;
  retriedBy: string | null;
  expireMs: number | null;
  attempts: number;
  /** When it last changed. */
  timeMs: number;
  nextMs: number | null;
}

/** A visible change. */
export function touch(payment: ModelPayment, timeMs: number): void {
  payment.sequence++;
  payment.timeMs = Math.max(payment.timeMs, timeMs);
}

/** Why the status or the time forbids something; undefined if it doesn't. */
export function refusalOf(
  kind: PaymentAction,
  payment: ModelPayment,
  timeMs: number,
): string | undefined {
  const { status, expireMs } = payment;
  const ended: Partial<Record<PaymentRow["status"], string>> = {
    SETTLED: "PAYMENT_ALREADY_CAPTURED",
    CANCELLED: "PAYMENT_ALREADY_CANCELLED",
    EXPIRED: "PAYMENT_EXPIRED",
  };
  if (ended[status] && !(kind === "refund" && status === "SETTLED")) return ended[status];
  if (status === "REJECTED") return kind === "retry" ? undefined : "PAYMENT_REJECTED";
  if (status === "PENDING" && kind === "capture") return "PAYMENT_NOT_HELD";
  if (status === "HELD" && kind === "retry") return "PAYMENT_ALREADY_HELD";
  return expireMs !== null && expireMs <= timeMs ? "PAYMENT_EXPIRED" : undefined;
}

/** The next attempt's time as it was told, if it's within half and all of the backoff. */
export function nextAttemptMs(
  payment: ModelPayment,
  timeMs: number,
  told: PaymentRow | undefined,
): number | null {
  const { initialBackoffMs, maxBackoffMs } = payment.policy!;
  const backoffMs = Math.min(maxBackoffMs, initialBackoffMs * 2 ** (payment.attempts - 1));
  const next = told?.attempts?.at(-1)?.nextTime;
  // None, if even the longest wait would be too long, and maybe none if the shortest would be.
  if (!next) return timeMs + backoffMs < payment.expireMs! ? Number.NaN : null;
  const waitMs = Date.parse(next) - timeMs;
  const isRight = waitMs >= Math.floor(backoffMs / 2) && waitMs <= backoffMs + 1;
  return isRight && Date.parse(next) < payment.expireMs! ? Date.parse(next) : Number.NaN;
}

/** What of a payment the model tells, in a line. */
export function textOf(payment: PaymentRow | ModelPayment): string {
  const isRow = "id" in payment;
  const expireMs = isRow ? (payment.expireTime?.getTime() ?? null) : payment.expireMs;
  const attempts = isRow ? (payment.attempts?.length ?? 0) : payment.attempts;
  const retriedBy = isRow ? payment.retriedByPaymentId : payment.retriedBy;
  const { status, reason, sequence, amountMinor, capturedMinor, refundedMinor } = payment;
  const told = [status, reason, sequence, amountMinor, capturedMinor, refundedMinor];
  const wrong = !isRow && Number.isNaN(payment.nextMs) ? "no next attempt as it should be" : "";
  return [...told, expireMs, attempts, retriedBy, wrong].join(" ");
}
