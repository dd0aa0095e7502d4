import { defineEntity, p } from "@mikro-orm/core";

/**
 * The outbox and event log: one row for every visible change of a payment, written in the
 * transaction of the change. In daily partitions on `create_time`.
 */
export const PaymentEventEntity = defineEntity({
  name: "PaymentEvent",
  tableName: "payment_event",
  properties: {
    paymentId: p.uuid().primary(),
    /** The payment's `sequence` after the change. */
    sequence: p.integer().primary(),
    createTime: p.datetime(3).primary(),
    /** Drawn by the database after the payment's row is locked or new: the order to publish in. */
    id: p.bigint("number").defaultRaw("nextval('payment_event_id_seq')"),
    eventId: p.uuid(),
    /** Hash of the payment id, 0 to 63, never changed: the unit that one relay publishes. */
    shard: p.smallint(),
    /** The encoded `instantpayment.v1.PaymentEvent`. */
    payload: p.blob(),
    /** Of the call that made the change (W3C Trace Context); null if nobody's did. */
    traceparent: p.text().strictNullable(),
  },
});
