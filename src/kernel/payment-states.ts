/**
 * The life of a payment as one table: from where to where, and by what. NEW is before the payment
 * is stored. A row that leads to itself is a change that others see without a new status. What
 * isn't here is refused, by the ledger and by the trigger that the migration makes of this table.
 */
export const PAYMENT_TRANSITIONS = {
  NEW: {
    PENDING: "the first attempt failed for a reason that can pass, and a retry policy was given",
    HELD: "the funds are reserved for a capture",
    SETTLED: "booked at once",
    REJECTED: "refused for good",
  },
  PENDING: {
    PENDING: "another attempt failed for a reason that can pass",
    HELD: "an attempt reserved the funds",
    SETTLED: "an attempt booked it",
    REJECTED: "the last attempt failed, or one for a reason that can't pass",
    CANCELLED: "the debtor's side cancelled it",
    EXPIRED: "its expire_time passed",
  },
  HELD: {
    HELD: "a part was captured and the rest stays held",
    SETTLED: "captured, or ended after a part had been captured",
    CANCELLED: "the creditor's side cancelled it before any capture",
    EXPIRED: "its expire_time passed before any capture",
  },
  SETTLED: { SETTLED: "money of it went back by a refund" },
  REJECTED: { REJECTED: "a new payment tries it again" },
  CANCELLED: {},
  EXPIRED: {},
} as const;

/** Where a payment stands (ISO 20022: PDNG, ACSP, ACSC, RJCT, CANC, CANC). */
export type PaymentStatus = Exclude<keyof typeof PAYMENT_TRANSITIONS, "NEW">;

/** Every status, in the order of a payment's life. */
export const PAYMENT_STATUSES = Object.keys(PAYMENT_TRANSITIONS).filter(
  (status): status is PaymentStatus => status !== "NEW",
);

/** The statuses that a payment may go to from here. */
export function nextStatuses(from: keyof typeof PAYMENT_TRANSITIONS): PaymentStatus[] {
  return Object.keys(PAYMENT_TRANSITIONS[from]) as PaymentStatus[];
}

/** True if the table has this way. */
export function mayBecome(from: keyof typeof PAYMENT_TRANSITIONS, to: PaymentStatus): boolean {
  return to in PAYMENT_TRANSITIONS[from];
}
