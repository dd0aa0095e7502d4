import { canPay, staysInRange, type AccountState } from "../accounts/account.ts";
import type { ErrorReason } from "../kernel/errors.ts";
import { fitsBalance } from "../kernel/money.ts";
import type { PaymentStatus } from "../kernel/payment-states.ts";
import type { PaymentRow } from "./payment.entity.ts";

/** Why an attempt failed, each with its ISO 20022 code, in order of precedence. */
export const REASON_CODES = {
  CREDITOR_ACCOUNT_NOT_FOUND: "AC03",
  ACCOUNT_CLOSED: "AC04",
  ACCOUNT_FROZEN: "AC06",
  CURRENCY_MISMATCH: "AM03",
  BALANCE_OVERFLOW: "AM02",
  INSUFFICIENT_FUNDS: "AM04",
} as const;

/** One reason of `REASON_CODES`. */
export type PaymentReason = keyof typeof REASON_CODES;

/** Whether a reason can pass by itself, so that a retry policy tries again. */
export const CAN_PASS: Readonly<Record<PaymentReason, boolean>> = {
  CREDITOR_ACCOUNT_NOT_FOUND: false,
  ACCOUNT_CLOSED: false,
  ACCOUNT_FROZEN: true,
  CURRENCY_MISMATCH: false,
  BALANCE_OVERFLOW: false,
  INSUFFICIENT_FUNDS: true,
};

/** How often and when a payment is tried again; waits in milliseconds. */
export interface RetryPolicy {
  /** The first one included, 1 to 20. */
  readonly maxAttempts: number;
  readonly initialBackoffMs: number;
  readonly maxBackoffMs: number;
}

/** One try, as it's stored: times in ISO 8601, a reason if it failed, the next if one is planned. */
export interface PaymentAttempt {
  readonly time: string;
  readonly reason: PaymentReason | null;
  readonly nextTime: string | null;
}

/** A request as texts by the names of its fields in the proto, with the name of its method. */
export type Asked = Readonly<Record<string, string>>;

/** What can be asked of a payment that is there. */
export type PaymentAction = "capture" | "cancel" | "refund" | "retry";

/** Why a payment's status forbids an action; null: it doesn't. */
export const REFUSALS: Readonly<
  Record<PaymentAction, Readonly<Record<PaymentStatus, ErrorReason | null>>>
> = {
  capture: {
    PENDING: "PAYMENT_NOT_HELD",
    HELD: null,
    SETTLED: "PAYMENT_ALREADY_CAPTURED",
    REJECTED: "PAYMENT_REJECTED",
    CANCELLED: "PAYMENT_ALREADY_CANCELLED",
    EXPIRED: "PAYMENT_EXPIRED",
  },
  cancel: {
    PENDING: null,
    HELD: null,
    SETTLED: "PAYMENT_ALREADY_CAPTURED",
    REJECTED: "PAYMENT_REJECTED",
    CANCELLED: "PAYMENT_ALREADY_CANCELLED",
    EXPIRED: "PAYMENT_EXPIRED",
  },
  // Of a held one, the part that was captured.
  refund: {
    PENDING: "PAYMENT_NOT_CAPTURED",
    HELD: null,
    SETTLED: null,
    REJECTED: "PAYMENT_REJECTED",
    CANCELLED: "PAYMENT_ALREADY_CANCELLED",
    EXPIRED: "PAYMENT_EXPIRED",
  },
  retry: {
    PENDING: null,
    HELD: "PAYMENT_ALREADY_HELD",
    SETTLED: "PAYMENT_ALREADY_CAPTURED",
    REJECTED: null,
    CANCELLED: "PAYMENT_ALREADY_CANCELLED",
    EXPIRED: "PAYMENT_EXPIRED",
  },
};

/** A reason with a sentence that names the side. */
export interface Decline {
  readonly reason: PaymentReason;
  readonly detail: string;
}

/** Why this payment can't be booked, the first reason that applies; undefined if it can. */
export function findDecline(
  debtor: AccountState,
  creditor: AccountState | undefined,
  currencyCode: string,
  amountMinor: bigint,
): Decline | undefined {
  if (!creditor) {
    return decline("CREDITOR_ACCOUNT_NOT_FOUND", "There is no such creditor account.");
  }
  const sides = [
    ["debtor", debtor],
    ["creditor", creditor],
  ] as const;
  for (const [side, account] of sides) {
    if (account.status === "CLOSED") {
      return decline("ACCOUNT_CLOSED", `The ${side} account is closed.`);
    }
  }
  for (const [side, account] of sides) {
    if (account.status === "FROZEN") {
      return decline("ACCOUNT_FROZEN", `The ${side} account is frozen.`);
    }
  }
  for (const [side, account] of sides) {
    if (account.currencyCode !== currencyCode) {
      return decline("CURRENCY_MISMATCH", `The ${side} account isn't in ${currencyCode}.`);
    }
  }
  if (!staysInRange(creditor, amountMinor)) {
    return decline("BALANCE_OVERFLOW", "The creditor account's balance would overflow.");
  }
  if (!staysInRange(debtor, -amountMinor) || !fitsBalance(debtor.heldMinor + amountMinor)) {
    return decline("BALANCE_OVERFLOW", "The debtor account's balance would overflow.");
  }
  if (!canPay(debtor, amountMinor)) {
    return decline("INSUFFICIENT_FUNDS", "The debtor account has too little available.");
  }
  return undefined;
}

function decline(reason: PaymentReason, detail: string): Decline {
  return { reason, detail };
}

/**
 * True from HELD or SETTLED on, whatever comes then. What failed, or ended before it got through,
 * has a reason and is between the debtor and the service.
 */
export function isShownToCreditor(payment: Pick<PaymentRow, "reason">): boolean {
  return payment.reason === null;
}

/** Who looks at a payment. */
export interface Viewer {
  readonly ownerId: string;
  /** True for who may see both sides of every payment. */
  readonly isAdmin: boolean;
}

/** A payment and the sides that its viewer may see it from; none: it isn't there for the viewer. */
export interface SeenPayment {
  readonly payment: PaymentRow;
  readonly asDebtor: boolean;
  readonly asCreditor: boolean;
}

/** The sides of a payment that are its viewer's own. Accounts never change their owner. */
export interface OwnSides {
  readonly isAdmin: boolean;
  readonly debtor: boolean;
  readonly creditor: boolean;
}

/** `ownerOf` knows the owners of the payment's accounts, by id. */
export function ownSidesOf(
  { ownerId, isAdmin }: Viewer,
  payment: Pick<PaymentRow, "debtorAccountId" | "creditorAccountId">,
  ownerOf: (accountId: string) => string | undefined,
): OwnSides {
  const owns = (accountId: string) => ownerOf(accountId) === ownerId;
  const { debtorAccountId, creditorAccountId } = payment;
  return { isAdmin, debtor: owns(debtorAccountId), creditor: owns(creditorAccountId) };
}

/** The sides that a payment is seen from by whom these are own. */
export function sidesSeen(
  { isAdmin, debtor, creditor }: OwnSides,
  payment: Pick<PaymentRow, "reason">,
): Omit<SeenPayment, "payment"> {
  return {
    asDebtor: isAdmin || debtor,
    asCreditor: isAdmin || (creditor && isShownToCreditor(payment)),
  };
}

/** The payment as the viewer may see it. `ownerOf` knows the owners of its accounts, by id. */
export function seenBy(
  viewer: Viewer,
  payment: PaymentRow,
  ownerOf: (accountId: string) => string | undefined,
): SeenPayment {
  return { payment, ...sidesSeen(ownSidesOf(viewer, payment, ownerOf), payment) };
}

/** True if no change of the payment can come any more: the rest of its life has no way on. */
export function isOver({
  status,
  capturedMinor,
  refundedMinor,
  ...links
}: Pick<
  PaymentRow,
  "status" | "capturedMinor" | "refundedMinor" | "refundOfPaymentId" | "retriedByPaymentId"
>): boolean {
  if (status === "CANCELLED" || status === "EXPIRED") return true;
  // A refund is neither refunded nor tried again.
  if (status === "SETTLED")
    return links.refundOfPaymentId !== null || refundedMinor === capturedMinor;
  if (status !== "REJECTED") return false;
  return links.refundOfPaymentId !== null || links.retriedByPaymentId !== null;
}
