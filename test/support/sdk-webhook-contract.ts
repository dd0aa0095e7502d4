import type {
  CreateWebhookEndpointRequest,
  CreateWebhookEndpointResponse,
  ListWebhookDeliveriesRequest,
  ListWebhookEndpointsRequest,
  RotateWebhookSecretRequest,
  UpdateWebhookEndpointRequest,
  WebhookDelivery as WireDelivery,
  WebhookEndpoint as WireEndpoint,
} from "../../gen/instantpayment/v1/webhook_service_pb.ts";
import type * as sdk from "../../sdk/src/node.ts";
import type { FieldOf } from "./sdk-payment-contract.ts";

/** The part of `REQUESTS` that is about webhooks. */
export const WEBHOOK_REQUESTS = {
  CreateWebhookEndpointRequest: {
    url: "url",
    eventTypes: "eventTypes",
    description: "description",
    ordered: "ordered",
    ownerId: "ownerId",
  } satisfies Record<FieldOf<CreateWebhookEndpointRequest>, keyof sdk.NewWebhookEndpoint>,
  GetWebhookEndpointRequest: { webhookEndpointId: "itself" },
  ListWebhookEndpointsRequest: {
    ownerId: "ownerId",
    pageSize: "pageSize",
    pageToken: "pageToken",
  } satisfies Record<FieldOf<ListWebhookEndpointsRequest>, keyof sdk.WebhookEndpointFilter>,
  UpdateWebhookEndpointRequest: {
    webhookEndpointId: "itself",
    url: "url",
    eventTypes: "eventTypes",
    clearEventTypes: "eventTypes",
    description: "description",
    ordered: "ordered",
    enabled: "enabled",
  } satisfies Record<
    FieldOf<UpdateWebhookEndpointRequest>,
    keyof sdk.WebhookEndpointChange | "itself"
  >,
  DeleteWebhookEndpointRequest: { webhookEndpointId: "itself" },
  RotateWebhookSecretRequest: {
    webhookEndpointId: "itself",
    gracePeriod: "gracePeriodMs",
  } satisfies Record<FieldOf<RotateWebhookSecretRequest>, keyof sdk.RotateOptions | "itself">,
  ListWebhookDeliveriesRequest: {
    webhookEndpointId: "itself",
    pageSize: "pageSize",
    pageToken: "pageToken",
  } satisfies Record<FieldOf<ListWebhookDeliveriesRequest>, keyof sdk.PageOptions | "itself">,
  RedeliverWebhookRequest: { webhookDeliveryId: "itself" },
};

/** The part of `ANSWERS` that is about webhooks. */
export const WEBHOOK_ANSWERS = {
  WebhookEndpoint: {
    id: "id",
    ownerId: "ownerId",
    url: "url",
    eventTypes: "eventTypes",
    description: "description",
    ordered: "ordered",
    enabled: "enabled",
    disabledReason: "disabledReason",
    failingSince: "failingSince",
    previousSecretExpireTime: "previousSecretExpireTime",
    createTime: "createTime",
    updateTime: "updateTime",
  } satisfies Record<FieldOf<WireEndpoint>, keyof sdk.WebhookEndpoint>,
  WebhookDelivery: {
    id: "id",
    webhookEndpointId: "webhookEndpointId",
    eventId: "eventId",
    eventType: "eventType",
    paymentId: "paymentId",
    sequence: "sequence",
    status: "status",
    attempt: "attempt",
    statusCode: "statusCode",
    error: "error",
    occurTime: "occurTime",
    lastAttemptTime: "lastAttemptTime",
    nextAttemptTime: "nextAttemptTime",
    deliverTime: "deliverTime",
  } satisfies Record<FieldOf<WireDelivery>, keyof sdk.WebhookDelivery>,
  CreateWebhookEndpointResponse: {
    webhookEndpoint: "itself",
    secret: "secret",
  } satisfies Record<
    FieldOf<CreateWebhookEndpointResponse>,
    keyof sdk.WebhookEndpointWithSecret | "itself"
  >,
  GetWebhookEndpointResponse: { webhookEndpoint: "itself" },
  ListWebhookEndpointsResponse: { webhookEndpoints: "items", nextPageToken: "nextPageToken" },
  UpdateWebhookEndpointResponse: { webhookEndpoint: "itself" },
  DeleteWebhookEndpointResponse: {},
  RotateWebhookSecretResponse: { webhookEndpoint: "itself", secret: "secret" },
  ListWebhookDeliveriesResponse: { deliveries: "items", nextPageToken: "nextPageToken" },
  RedeliverWebhookResponse: { delivery: "itself" },
};
