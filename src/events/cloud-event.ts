import type { OutboxEvent } from "./publisher.ts";

/** What an event is, by the name and version of its message. */
const EVENT_TYPE = "instantpayment.v1.PaymentEvent";

/**
 * The headers of an event in the binary mode of CloudEvents 1.0's Kafka binding: the message's body
 * is the event itself, in Protobuf. `traceparent` is there if the change's caller gave one.
 */
export function cloudEventHeaders(event: OutboxEvent): Record<string, string> {
  return {
    "content-type": "application/protobuf",
    ce_specversion: "1.0",
    ce_id: event.eventId,
    ce_type: EVENT_TYPE,
    ce_source: "/instantpayment/payments",
    ce_subject: event.paymentId,
    ce_time: new Date(event.occurTimeMs).toISOString(),
    ce_partitionkey: event.paymentId,
    ce_dataschema: `proto:${EVENT_TYPE}`,
    ...(event.traceparent !== null && { traceparent: event.traceparent }),
  };
}
