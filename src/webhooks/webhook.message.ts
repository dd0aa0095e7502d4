import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { PaymentEventType } from "../../gen/instantpayment/v1/payment_pb.ts";
import {
  WebhookDeliverySchema,
  WebhookDeliveryStatus,
  WebhookEndpointSchema,
  type WebhookDelivery,
  type WebhookEndpoint,
} from "../../gen/instantpayment/v1/webhook_service_pb.ts";
import type { ChangeType } from "../ledger/posting.ts";
import type { DeliveryStatus, WebhookDeliveryRow } from "./webhook-delivery.entity.ts";
import type { WebhookEndpointRow } from "./webhook-endpoint.entity.ts";

const time = (date: Date | null) => (date ? timestampFromDate(date) : undefined);

const toType = (name: ChangeType) => PaymentEventType[name];

/** The name of an event type on the wire, as it's stored. */
export function eventTypeName(type: PaymentEventType): ChangeType {
  const names = Object.keys(PaymentEventType) as ChangeType[];
  return names.find((name) => PaymentEventType[name] === type)!;
}

/** The endpoint on the wire, without its secrets. */
export function toEndpointMessage(endpoint: WebhookEndpointRow): WebhookEndpoint {
  return create(WebhookEndpointSchema, {
    id: endpoint.id,
    ownerId: endpoint.ownerId,
    url: endpoint.url,
    eventTypes: endpoint.eventTypes.map(toType),
    description: endpoint.description,
    ordered: endpoint.ordered,
    enabled: endpoint.enabled,
    disabledReason: endpoint.disabledReason ?? "",
    failingSince: time(endpoint.failingSince),
    previousSecretExpireTime: time(endpoint.previousExpireTime),
    createTime: time(endpoint.createTime),
    updateTime: time(endpoint.updateTime),
  });
}

/** The delivery on the wire. */
export function toDeliveryMessage(delivery: WebhookDeliveryRow): WebhookDelivery {
  return create(WebhookDeliverySchema, {
    id: delivery.id,
    webhookEndpointId: delivery.webhookEndpointId,
    eventId: delivery.eventId,
    eventType: toType(delivery.eventType),
    paymentId: delivery.paymentId,
    sequence: delivery.sequence,
    status: WebhookDeliveryStatus[delivery.status as DeliveryStatus],
    attempt: delivery.attempt,
    statusCode: delivery.statusCode ?? 0,
    error: delivery.error ?? "",
    occurTime: time(delivery.occurTime),
    lastAttemptTime: time(delivery.lastAttemptTime),
    nextAttemptTime: time(delivery.nextAttemptTime),
    deliverTime: time(delivery.deliverTime),
  });
}
