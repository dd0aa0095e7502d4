import { defineEntity, p, type InferEntity } from "@mikro-orm/core";
import type { PaymentStatus } from "../kernel/payment-states.ts";
import type { PaymentAttempt, PaymentReason, RetryPolicy } from "./payment.ts";

/**
 * A payment instruction and what became of it. Range-partitioned by month on `create_time`, which
 * is the time in `id`: a look-up by id gives both and touches one partition.
 */
export const PaymentEntity = defineEntity({
  name: "Payment",
  tableName: "payment",
  properties: {
    createTime: p.datetime(3).primary(),
    id: p.uuid().primary(),
    /** Whose idempotency key it is: the caller's owner. */
    ownerId: p.text(),
    idempotencyKey: p.text(),
    debtorAccountId: p.uuid(),
    creditorAccountId: p.uuid(),
    currencyCode: p.text(),
    amountMinor: p.bigint(),
    status: p.text().$type<PaymentStatus>(),
    reason: p.text().$type<PaymentReason>().strictNullable(),
    reasonDetail: p.text().strictNullable(),
    endToEndId: p.text(),
    remittanceInformation: p.text(),
    metadata: p.json<Record<string, string>>(),
    expireTime: p.datetime(3).strictNullable(),
    /** The number of the latest visible change; each has its event. The optimistic lock. */
    sequence: p.integer(),
    /** Booked so far; of a held payment the rest of the amount is held. */
    capturedMinor: p.bigint(),
    /** Given back by refunds. */
    refundedMinor: p.bigint().defaultRaw("0"),
    refundOfPaymentId: p.uuid().strictNullable(),
    retryOfPaymentId: p.uuid().strictNullable(),
    retriedByPaymentId: p.uuid().strictNullable(),
    /** How long to hold at most; null: booked at once. */
    holdDurationMs: p.integer().strictNullable(),
    retryPolicy: p.json<RetryPolicy>().strictNullable(),
    /** One for each try if there is a policy; otherwise null. */
    attempts: p.json<readonly PaymentAttempt[]>().strictNullable(),
    /** When the scheduler looks at it next; null once it has ended. */
    dueTime: p.datetime(3).strictNullable(),
    debtorBalanceAfterMinor: p.bigint().strictNullable(),
    creditorBalanceAfterMinor: p.bigint().strictNullable(),
    updateTime: p.datetime(3),
  },
  indexes: [
    { name: "payment_debtor_index", properties: ["debtorAccountId", "createTime", "id"] },
    { name: "payment_creditor_index", properties: ["creditorAccountId", "createTime", "id"] },
  ],
});

/** A row of `payment`. */
export type PaymentRow = InferEntity<typeof PaymentEntity>;
