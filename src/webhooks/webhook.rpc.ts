import { durationMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { WebhookService } from "../../gen/instantpayment/v1/webhook_service_pb.ts";
import type { Call } from "../kernel/call.ts";
import { invalidField } from "../kernel/errors.ts";
import type { FindDeliveries } from "./find-deliveries.ts";
import type { ManageWebhooks } from "./manage-webhooks.ts";
import { eventTypeName, toDeliveryMessage, toEndpointMessage } from "./webhook.message.ts";

/** What WebhookService is made of. */
export interface WebhookRpcDeps {
  /** Who calls, and until when it waits. */
  readonly callOf: (context: HandlerContext) => Call;
  readonly manageWebhooks: ManageWebhooks;
  readonly findDeliveries: FindDeliveries;
}

/** `instantpayment.v1.WebhookService` on the use cases; requests have been validated before. */
export function createWebhookRpc(deps: WebhookRpcDeps): ServiceImpl<typeof WebhookService> {
  const { callOf, manageWebhooks, findDeliveries } = deps;
  return {
    async createWebhookEndpoint(request, context) {
      const { endpoint, secret } = await manageWebhooks.create(callOf(context), {
        url: request.url,
        eventTypes: request.eventTypes.map(eventTypeName),
        description: request.description,
        ordered: request.ordered,
        ownerId: request.ownerId || undefined,
      });
      return { webhookEndpoint: toEndpointMessage(endpoint), secret };
    },

    async getWebhookEndpoint({ webhookEndpointId }, context) {
      const endpoint = await manageWebhooks.get(callOf(context), webhookEndpointId.toLowerCase());
      return { webhookEndpoint: toEndpointMessage(endpoint) };
    },

    async listWebhookEndpoints(request, context) {
      const page = await manageWebhooks.list(callOf(context), {
        ownerId: request.ownerId || undefined,
        pageSize: request.pageSize,
        pageToken: request.pageToken,
      });
      return {
        webhookEndpoints: page.endpoints.map(toEndpointMessage),
        nextPageToken: page.nextPageToken,
      };
    },

    async updateWebhookEndpoint(request, context) {
      const { webhookEndpointId, eventTypes, clearEventTypes } = request;
      if (clearEventTypes && eventTypes.length > 0) {
        throw invalidField("clear_event_types", "is not for use with event_types");
      }
      const id = webhookEndpointId.toLowerCase();
      const endpoint = await manageWebhooks.update(callOf(context), id, {
        url: request.url,
        eventTypes:
          eventTypes.length > 0 || clearEventTypes ? eventTypes.map(eventTypeName) : undefined,
        description: request.description,
        ordered: request.ordered,
        enabled: request.enabled,
      });
      return { webhookEndpoint: toEndpointMessage(endpoint) };
    },

    async deleteWebhookEndpoint({ webhookEndpointId }, context) {
      await manageWebhooks.remove(callOf(context), webhookEndpointId.toLowerCase());
      return {};
    },

    async rotateWebhookSecret({ webhookEndpointId, gracePeriod }, context) {
      const id = webhookEndpointId.toLowerCase();
      const graceMs = gracePeriod && durationMs(gracePeriod);
      const { endpoint, secret } = await manageWebhooks.rotate(callOf(context), id, graceMs);
      return { webhookEndpoint: toEndpointMessage(endpoint), secret };
    },

    async listWebhookDeliveries(request, context) {
      const page = await findDeliveries.list(callOf(context), {
        endpointId: request.webhookEndpointId.toLowerCase(),
        pageSize: request.pageSize,
        pageToken: request.pageToken,
      });
      return {
        deliveries: page.deliveries.map(toDeliveryMessage),
        nextPageToken: page.nextPageToken,
      };
    },

    async redeliverWebhook({ webhookDeliveryId }, context) {
      const id = webhookDeliveryId.toLowerCase();
      return { delivery: toDeliveryMessage(await findDeliveries.redeliver(callOf(context), id)) };
    },
  };
}
