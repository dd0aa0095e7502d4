import type { JsonObject } from "@bufbuild/protobuf";
import { EXAMPLE_VALUES } from "../../src/rpc/docs-examples.ts";

const { demoPaymentId, demoWebhookId, demoUnusedWebhookId } = EXAMPLE_VALUES;
// The demo sends nothing, so it has none.
const deliveryId = "01980000-0000-8000-8000-0000000000b3";
const time = "2026-03-01T09:30:00.125Z";

const wanted = {
  url: "https://shop.example/webhooks",
  eventTypes: ["PAYMENT_EVENT_TYPE_SETTLED", "PAYMENT_EVENT_TYPE_REFUNDED"],
  description: "Shop",
  ordered: true,
};

/** The part of `REQUEST_EXAMPLES` that is about webhooks. */
export const WEBHOOK_REQUEST_EXAMPLES: Readonly<Record<string, JsonObject>> = {
  CreateWebhookEndpointRequest: wanted,
  GetWebhookEndpointRequest: { webhookEndpointId: demoWebhookId },
  ListWebhookEndpointsRequest: { pageSize: 10 },
  UpdateWebhookEndpointRequest: { webhookEndpointId: demoWebhookId, enabled: true },
  DeleteWebhookEndpointRequest: { webhookEndpointId: demoUnusedWebhookId },
  RotateWebhookSecretRequest: { webhookEndpointId: demoWebhookId, gracePeriod: "3600s" },
  ListWebhookDeliveriesRequest: { webhookEndpointId: demoWebhookId, pageSize: 10 },
  RedeliverWebhookRequest: { webhookDeliveryId: deliveryId },
};

const webhookEndpoint = {
  id: demoWebhookId,
  ownerId: "alice",
  ...wanted,
  enabled: true,
  createTime: "2026-03-01T09:00:00Z",
  updateTime: "2026-03-01T09:00:00Z",
};

const delivery = {
  id: deliveryId,
  webhookEndpointId: demoWebhookId,
  eventId: "01980000-0000-7000-8000-0000000000b4",
  eventType: "PAYMENT_EVENT_TYPE_SETTLED",
  paymentId: demoPaymentId,
  sequence: 1,
  status: "WEBHOOK_DELIVERY_STATUS_PENDING",
  attempt: 1,
  statusCode: 500,
  error: "it answered 500",
  occurTime: time,
  lastAttemptTime: "2026-03-01T09:30:00.140Z",
  nextAttemptTime: "2026-03-01T09:30:04.512Z",
};

const secret = "whsec_<44 characters>";

/** The part of `RESPONSE_EXAMPLES` that is about webhooks, without their frames. */
export const WEBHOOK_RESPONSE_EXAMPLES: Readonly<Record<string, JsonObject>> = {
  CreateWebhookEndpointResponse: { webhookEndpoint, secret },
  GetWebhookEndpointResponse: { webhookEndpoint },
  ListWebhookEndpointsResponse: { webhookEndpoints: [webhookEndpoint] },
  UpdateWebhookEndpointResponse: { webhookEndpoint },
  RotateWebhookSecretResponse: {
    webhookEndpoint: { ...webhookEndpoint, previousSecretExpireTime: "2026-03-01T10:30:00.125Z" },
    secret,
  },
  ListWebhookDeliveriesResponse: { deliveries: [delivery] },
  RedeliverWebhookResponse: { delivery: { ...delivery, nextAttemptTime: time } },
};
