import type { EntityManager, MikroORM } from "@mikro-orm/postgresql";
import type { Call } from "../kernel/call.ts";
import { ServiceError } from "../kernel/errors.ts";
import { cutPage, decodePageToken, pageLimit } from "../kernel/page.ts";
import { isAdmin, ownedBy } from "../kernel/principal.ts";
import { WebhookDeliveryEntity, type WebhookDeliveryRow } from "./webhook-delivery.entity.ts";
import { WebhookEndpointEntity } from "./webhook-endpoint.entity.ts";

/** Which deliveries to list, the latest event first. */
export interface ListDeliveries {
  readonly endpointId: string;
  readonly pageSize: number;
  readonly pageToken: string;
}

/** A page of deliveries; the token is empty on the last one. */
export interface DeliveryPage {
  readonly deliveries: WebhookDeliveryRow[];
  readonly nextPageToken: string;
}

/** The log of deliveries. */
export interface FindDeliveries {
  /** Throws WEBHOOK_ENDPOINT_NOT_FOUND for one that isn't the caller's, INVALID_PAGE_TOKEN. */
  list(call: Call, query: ListDeliveries): Promise<DeliveryPage>;
  /** Has it sent at once. Throws WEBHOOK_DELIVERY_NOT_FOUND, WEBHOOK_ENDPOINT_DISABLED. */
  redeliver(call: Call, deliveryId: string): Promise<WebhookDeliveryRow>;
}

/** As if it were new, but for the number of its attempts. */
const BEGIN_AGAIN = `
  status = 'PENDING', failures = 0, first_attempt_time = null, deliver_time = null,
  next_attempt_time = clock_timestamp()`;

const REDELIVER = `
  update webhook_delivery d set ${BEGIN_AGAIN} from webhook_endpoint e
  where d.id = ? and e.id = d.webhook_endpoint_id and e.enabled returning d.id`;

/** Has all that waits for an endpoint and has failed before sent at once. */
export async function retryAtOnce(em: EntityManager, endpointId: string): Promise<void> {
  await em.execute(
    `update webhook_delivery set ${BEGIN_AGAIN}
     where webhook_endpoint_id = ? and next_attempt_time is not null and failures > 0`,
    [endpointId],
  );
}

/** Makes the reads of deliveries, and their repetition. */
export function createFindDeliveries(deps: { readonly orm: MikroORM }): FindDeliveries {
  return {
    async list({ principal }, { endpointId, pageSize, pageToken }) {
      const em = deps.orm.em.fork();
      const boundTo = ["ListWebhookDeliveries", principal.ownerId, endpointId];
      const [before] = decodePageToken(boundTo, pageToken) ?? [];
      const own = { id: endpointId, ...ownedBy(principal) };
      if ((await em.count(WebhookEndpointEntity, own)) === 0) {
        throw new ServiceError("WEBHOOK_ENDPOINT_NOT_FOUND");
      }
      const limit = pageLimit(pageSize);
      const found = await em.find(
        WebhookDeliveryEntity,
        { webhookEndpointId: endpointId, ...(before && { id: { $lt: before } }) },
        { orderBy: { id: "desc" }, limit: limit + 1 },
      );
      const { rows: deliveries, nextPageToken } = cutPage(found, limit, boundTo, ({ id }) => [id]);
      return { deliveries, nextPageToken };
    },

    async redeliver({ principal }, id) {
      const em = deps.orm.em.fork();
      const owned = `exists (select from webhook_endpoint e where e.id = d.webhook_endpoint_id
        and (?::text is null or e.owner_id = ?))`;
      const ownerId = isAdmin(principal) ? null : principal.ownerId;
      const rows = await em.execute<{ id: string }[]>(
        `select d.id from webhook_delivery d where d.id = ? and ${owned}`,
        [id, ownerId, ownerId],
      );
      if (rows.length === 0) throw new ServiceError("WEBHOOK_DELIVERY_NOT_FOUND");
      const begun = await em.execute<{ id: string }[]>(REDELIVER, [id]);
      if (begun.length === 0) throw new ServiceError("WEBHOOK_ENDPOINT_DISABLED");
      return em.findOneOrFail(WebhookDeliveryEntity, { id });
    },
  };
}
