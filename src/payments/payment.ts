import { canPay, staysInRange, type AccountState } from "../accounts/account.ts";
import type { PaymentRow } from "./payment.entity.ts";

/** Where a payment stands (ISO 20022: ACSC, RJCT). */
export type PaymentStatus = "SETTLED" | "REJECTED";

/** Why a payment was refused for good, each with its ISO 20022 code, in order of precedence. */
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
  if (!staysInRange(debtor, -amountMinor)) {
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

/** What a creditor may see; what was never booked is between the debtor and the service. */
export const SHOWN_TO_CREDITOR: readonly PaymentStatus[] = ["SETTLED"];

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

/** The payment as the viewer may see it. `ownerOf` knows the owners of its accounts, by id. */
export function seenBy(
  viewer: Viewer,
  payment: PaymentRow,
  ownerOf: (accountId: string) => string | undefined,
): SeenPayment {
  if (viewer.isAdmin) return { payment, asDebtor: true, asCreditor: true };
  const owns = (accountId: string) => ownerOf(accountId) === viewer.ownerId;
  return {
    payment,
    asDebtor: owns(payment.debtorAccountId),
    asCreditor: owns(payment.creditorAccountId) && SHOWN_TO_CREDITOR.includes(payment.status),
  };
}
