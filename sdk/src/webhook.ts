import { PaymentEventType as WireType } from "../../gen/instantpayment/v1/payment_pb.ts";
import {
  type WebhookDelivery as WireDelivery,
  WebhookDeliveryStatus as WireStatus,
  type WebhookEndpoint as WireEndpoint,
} from "../../gen/instantpayment/v1/webhook_service_pb.ts";
import type { PaymentEventType } from "./event.ts";
import { dateOf, nameOf, type NameOut } from "./wire.ts";

/** Where an owner is told what happens to its payments. */
export interface WebhookEndpoint {
  readonly id: string;
  readonly ownerId: string;
  readonly url: string;
  /** Empty: all. */
  readonly eventTypes: readonly PaymentEventType[];
  readonly description: string;
  /** The next event of a payment waits until the one before it is delivered or given up. */
  readonly ordered: boolean;
  readonly enabled: boolean;
  /** Empty if it's enabled; `updated`, `gone` (it answered 410) or `failing` (for 3 days). */
  readonly disabledReason: string;
  /** Since when nothing is delivered although it's tried. */
  readonly failingSince: Date | undefined;
  /** Until when the secret before the last rotation signs too. */
  readonly previousSecretExpireTime: Date | undefined;
  readonly createTime: Date;
  readonly updateTime: Date;
}

/** An endpoint with what its requests are signed with. */
export interface WebhookEndpointWithSecret extends WebhookEndpoint {
  /** It's told only once: keep it where secrets are kept, for `verifyWebhook`. */
  readonly secret: string;
}

/** One event for one endpoint. */
export interface WebhookDelivery {
  /** The header `webhook-id` of its requests. */
  readonly id: string;
  readonly webhookEndpointId: string;
  readonly eventId: string;
  readonly eventType: PaymentEventType;
  readonly paymentId: string;
  /** The payment's `sequence` after the event. */
  readonly sequence: number;
  readonly status: NameOut<typeof WireStatus>;
  /** How often it was sent. */
  readonly attempt: number;
  /** The HTTP status of the last answer; 0 if there was none. */
  readonly statusCode: number;
  /** Why the last attempt failed; empty if it didn't. */
  readonly error: string;
  /** When the event happened. */
  readonly occurTime: Date;
  readonly lastAttemptTime: Date | undefined;
  readonly nextAttemptTime: Date | undefined;
  readonly deliverTime: Date | undefined;
}

const typeOf = (type: number): PaymentEventType => nameOf(WireType, type) ?? "UNRECOGNIZED";

/** An endpoint off the wire. */
export function endpointFromWire(endpoint: WireEndpoint): WebhookEndpoint {
  const { failingSince, previousSecretExpireTime } = endpoint;
  return {
    id: endpoint.id,
    ownerId: endpoint.ownerId,
    url: endpoint.url,
    description: endpoint.description,
    ordered: endpoint.ordered,
    enabled: endpoint.enabled,
    disabledReason: endpoint.disabledReason,
    eventTypes: endpoint.eventTypes.map(typeOf),
    failingSince: failingSince && dateOf(failingSince),
    previousSecretExpireTime: previousSecretExpireTime && dateOf(previousSecretExpireTime),
    createTime: dateOf(endpoint.createTime),
    updateTime: dateOf(endpoint.updateTime),
  };
}

/** A delivery off the wire. */
export function deliveryFromWire(delivery: WireDelivery): WebhookDelivery {
  const { lastAttemptTime, nextAttemptTime, deliverTime } = delivery;
  return {
    id: delivery.id,
    webhookEndpointId: delivery.webhookEndpointId,
    eventId: delivery.eventId,
    paymentId: delivery.paymentId,
    sequence: delivery.sequence,
    attempt: delivery.attempt,
    statusCode: delivery.statusCode,
    error: delivery.error,
    eventType: typeOf(delivery.eventType),
    status: nameOf(WireStatus, delivery.status) ?? "UNRECOGNIZED",
    occurTime: dateOf(delivery.occurTime),
    lastAttemptTime: lastAttemptTime && dateOf(lastAttemptTime),
    nextAttemptTime: nextAttemptTime && dateOf(nextAttemptTime),
    deliverTime: deliverTime && dateOf(deliverTime),
  };
}
