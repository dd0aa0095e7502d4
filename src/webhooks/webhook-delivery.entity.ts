import { defineEntity, p, type InferEntity } from "@mikro-orm/core";
import type { ChangeType } from "../ledger/posting.ts";

/** How a delivery stands. */
export type DeliveryStatus = "PENDING" | "DELIVERED" | "FAILED";

/**
 * One event for one endpoint. Its id is made of both, so that it's also the inbox: however often an
 * event comes, it's here once.
 */
export const WebhookDeliveryEntity = defineEntity({
  name: "WebhookDelivery",
  tableName: "webhook_delivery",
  properties: {
    /** Its order is that of the events' times. */
    id: p.uuid().primary(),
    webhookEndpointId: p.uuid(),
    eventId: p.uuid(),
    paymentId: p.uuid(),
    sequence: p.integer(),
    eventType: p.text().$type<ChangeType>(),
    /** The event in JSON as the endpoint's owner may see it; each attempt sends the same bytes. */
    body: p.text().lazy(),
    status: p.text().$type<DeliveryStatus>().defaultRaw("'PENDING'"),
    /** How often it was claimed to be sent. What comes of an attempt counts only if it's the last. */
    attempt: p.integer().defaultRaw("0"),
    /** Attempts that failed since it began or was begun again. */
    failures: p.integer().defaultRaw("0"),
    statusCode: p.integer().strictNullable(),
    error: p.text().strictNullable(),
    occurTime: p.datetime(3),
    /** When it began or was begun again: it's given up three days later. */
    firstAttemptTime: p.datetime(3).strictNullable(),
    lastAttemptTime: p.datetime(3).strictNullable(),
    /** Null: it isn't sent any more. While it's being sent: when another notifier may take it. */
    nextAttemptTime: p.datetime(3).strictNullable(),
    deliverTime: p.datetime(3).strictNullable(),
  },
  indexes: [{ name: "webhook_delivery_endpoint_index", properties: ["webhookEndpointId", "id"] }],
});

/** A row of `webhook_delivery`. */
export type WebhookDeliveryRow = InferEntity<typeof WebhookDeliveryEntity>;
