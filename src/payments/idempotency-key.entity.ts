import { defineEntity, p } from "@mikro-orm/core";

/**
 * An idempotency key and the payment it made. Not partitioned, so that its primary key is what
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
  },
});
