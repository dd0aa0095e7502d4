import { defineEntity, p, type InferEntity } from "@mikro-orm/core";
import type { Asked } from "./payment.ts";

/**
 * An idempotency key and the payment it made or was about. Not partitioned, so that its primary key is what
 * makes a payment exist once; kept for at least 30 days.
 */
export const IdempotencyKeyEntity = defineEntity({
  name: "IdempotencyKey",
  tableName: "idempotency_key",
  properties: {
    ownerId: p.text().primary(),
    key: p.text().primary(),
    /** SHA-256 of the canonical request. */
    requestDigest: p.blob(),
    paymentId: p.uuid(),
    /** The payment's `create_time`, so that a replay touches one partition. */
    createTime: p.datetime(3),
    /**
     * Of a command on an existing payment, which is `paymentId` then: the command's id, and that
     * of the payment it made, if it made one. Null: the key made `paymentId`.
     */
    commandId: p.uuid().strictNullable(),
    /** What was asked for, where the payment doesn't tell it. */
    request: p.json<Asked>().strictNullable(),
  },
});

/** A row of `idempotency_key`. */
export type IdempotencyKeyRow = InferEntity<typeof IdempotencyKeyEntity>;
