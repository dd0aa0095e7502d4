import type { Client } from "@connectrpc/connect";
import { PaymentEventType as WireType } from "../../gen/instantpayment/v1/payment_pb.ts";
import {
  CreateWebhookEndpointRequestSchema,
  ListWebhookDeliveriesRequestSchema,
  ListWebhookEndpointsRequestSchema,
  RotateWebhookSecretRequestSchema,
  UpdateWebhookEndpointRequestSchema,
  type WebhookService,
} from "../../gen/instantpayment/v1/webhook_service_pb.ts";
import { ROTATE_OPTIONS, type RotateOptions } from "./keys.ts";
import { type MembersOf, onlyKnown } from "./members.ts";
import { createPaged, type Page, PAGE_OPTIONS, type Paged, type PageOptions } from "./paging.ts";
import type { CallOptions, MakeCall } from "./retry.ts";
import {
  deliveryFromWire,
  endpointFromWire,
  type WebhookDelivery,
  type WebhookEndpoint,
  type WebhookEndpointWithSecret,
} from "./webhook.ts";
import { durationOf, numberOf, requestOf, type NameIn } from "./wire.ts";

/** An endpoint to make. */
export interface NewWebhookEndpoint {
  /** Begins with `https://`. */
  readonly url: string;
  /** Default: all. */
  readonly eventTypes?: readonly NameIn<typeof WireType>[];
  readonly description?: string;
  /** Send the events of a payment in order. Default: each as soon as possible. */
  readonly ordered?: boolean;
  /** Default: the caller. Another one is for administrators. */
  readonly ownerId?: string;
}

/** What to change of an endpoint; what is absent stays. */
export interface WebhookEndpointChange {
  readonly url?: string;
  /** Empty: all. */
  readonly eventTypes?: readonly NameIn<typeof WireType>[];
  readonly description?: string;
  readonly ordered?: boolean;
  /** True also sends at once what failed before. */
  readonly enabled?: boolean;
}

/** Which endpoints to list. */
export interface WebhookEndpointFilter extends PageOptions, CallOptions {
  readonly ownerId?: string;
}

const NEW_ENDPOINT: MembersOf<NewWebhookEndpoint> = {
  url: true,
  eventTypes: true,
  description: true,
  ordered: true,
  ownerId: true,
};
const ENDPOINT_CHANGE: MembersOf<WebhookEndpointChange> = {
  url: true,
  eventTypes: true,
  description: true,
  ordered: true,
  enabled: true,
};
const ENDPOINT_FILTER: MembersOf<WebhookEndpointFilter> = { ...PAGE_OPTIONS, ownerId: true };

/** The methods for webhooks. */
export interface WebhookMethods {
  /** Makes an endpoint. It's sent once only: if `outcomeUnknown`, look for it. */
  createWebhookEndpoint(
    endpoint: NewWebhookEndpoint,
    options?: CallOptions,
  ): Promise<WebhookEndpointWithSecret>;
  /** Throws WEBHOOK_ENDPOINT_NOT_FOUND. */
  getWebhookEndpoint(id: string, options?: CallOptions): Promise<WebhookEndpoint>;
  /** Lists endpoints, the oldest first, and fetches further pages while it's read. */
  listWebhookEndpoints(filter?: WebhookEndpointFilter): Paged<WebhookEndpoint>;
  /** Changes what is given. Throws WEBHOOK_ENDPOINT_NOT_FOUND. */
  updateWebhookEndpoint(
    id: string,
    change: WebhookEndpointChange,
    options?: CallOptions,
  ): Promise<WebhookEndpoint>;
  /** Removes an endpoint with all that waits for it. Throws WEBHOOK_ENDPOINT_NOT_FOUND. */
  deleteWebhookEndpoint(id: string, options?: CallOptions): Promise<Record<string, never>>;
  /** Gives an endpoint a new secret. Sent once only. Throws WEBHOOK_ENDPOINT_NOT_FOUND. */
  rotateWebhookSecret(id: string, options?: RotateOptions): Promise<WebhookEndpointWithSecret>;
  /** Lists what an endpoint was or is to be sent, the latest first. */
  listWebhookDeliveries(id: string, filter?: PageOptions & CallOptions): Paged<WebhookDelivery>;
  /** Sends a delivery at once. Throws WEBHOOK_DELIVERY_NOT_FOUND, WEBHOOK_ENDPOINT_DISABLED. */
  redeliverWebhook(deliveryId: string, options?: CallOptions): Promise<WebhookDelivery>;
}

/** Makes the methods for webhooks on top of the generated client. */
export function createWebhookMethods(deps: {
  readonly rpc: Client<typeof WebhookService>;
  readonly makeCall: MakeCall;
}): WebhookMethods {
  const { rpc, makeCall } = deps;
  const once = { writes: true, once: true };
  const typesFor = (names: readonly NameIn<typeof WireType>[] | undefined) =>
    names?.map((name) => numberOf(WireType, name, "eventTypes"));
  return {
    async createWebhookEndpoint(endpoint, options = {}) {
      const { eventTypes, ...given } = onlyKnown(endpoint, NEW_ENDPOINT, "endpoint");
      const init = { ...given, eventTypes: typesFor(eventTypes) };
      const request = requestOf(CreateWebhookEndpointRequestSchema, init);
      const answer = await makeCall(once, options, (attempt) =>
        rpc.createWebhookEndpoint(request, attempt),
      );
      return { ...endpointFromWire(answer.webhookEndpoint!), secret: answer.secret };
    },

    async getWebhookEndpoint(webhookEndpointId, options = {}) {
      const answer = await makeCall({ writes: false }, options, (attempt) =>
        rpc.getWebhookEndpoint({ webhookEndpointId }, attempt),
      );
      return endpointFromWire(answer.webhookEndpoint!);
    },

    listWebhookEndpoints(filter = {}) {
      const { ownerId, pageSize } = onlyKnown(filter, ENDPOINT_FILTER, "filter");
      const request = requestOf(ListWebhookEndpointsRequestSchema, { ownerId, pageSize });
      return createPaged<WebhookEndpoint, Page<WebhookEndpoint>>(
        filter,
        async (pageToken, options) => {
          const answer = await makeCall({ writes: false }, options, (attempt) =>
            rpc.listWebhookEndpoints({ ...request, pageToken }, attempt),
          );
          const items = answer.webhookEndpoints.map((one) => endpointFromWire(one));
          return { items, nextPageToken: answer.nextPageToken };
        },
      );
    },

    async updateWebhookEndpoint(webhookEndpointId, change, options = {}) {
      const { eventTypes, ...given } = onlyKnown(change, ENDPOINT_CHANGE, "change");
      const request = requestOf(UpdateWebhookEndpointRequestSchema, {
        ...given,
        webhookEndpointId,
        eventTypes: typesFor(eventTypes),
        clearEventTypes: eventTypes?.length === 0,
      });
      const answer = await makeCall({ writes: true }, options, (attempt) =>
        rpc.updateWebhookEndpoint(request, attempt),
      );
      return endpointFromWire(answer.webhookEndpoint!);
    },

    async deleteWebhookEndpoint(webhookEndpointId, options = {}) {
      await makeCall(once, options, (attempt) =>
        rpc.deleteWebhookEndpoint({ webhookEndpointId }, attempt),
      );
      return {};
    },

    async rotateWebhookSecret(webhookEndpointId, given = {}) {
      const { gracePeriodMs, ...options } = onlyKnown(given, ROTATE_OPTIONS, "options");
      const gracePeriod = durationOf(gracePeriodMs, "gracePeriodMs");
      const init = { webhookEndpointId, gracePeriod };
      const request = requestOf(RotateWebhookSecretRequestSchema, init);
      const answer = await makeCall(once, options, (attempt) =>
        rpc.rotateWebhookSecret(request, attempt),
      );
      return { ...endpointFromWire(answer.webhookEndpoint!), secret: answer.secret };
    },

    listWebhookDeliveries(webhookEndpointId, filter = {}) {
      const { pageSize } = onlyKnown(filter, PAGE_OPTIONS, "filter");
      const init = { webhookEndpointId, pageSize };
      const request = requestOf(ListWebhookDeliveriesRequestSchema, init);
      return createPaged<WebhookDelivery, Page<WebhookDelivery>>(
        filter,
        async (pageToken, options) => {
          const answer = await makeCall({ writes: false }, options, (attempt) =>
            rpc.listWebhookDeliveries({ ...request, pageToken }, attempt),
          );
          const items = answer.deliveries.map((one) => deliveryFromWire(one));
          return { items, nextPageToken: answer.nextPageToken };
        },
      );
    },

    async redeliverWebhook(webhookDeliveryId, options = {}) {
      const answer = await makeCall({ writes: true }, options, (attempt) =>
        rpc.redeliverWebhook({ webhookDeliveryId }, attempt),
      );
      return deliveryFromWire(answer.delivery!);
    },
  };
}
