import { LockMode, type EntityManager, type MikroORM } from "@mikro-orm/postgresql";
import type { Call } from "../kernel/call.ts";
import { invalidField, ServiceError } from "../kernel/errors.ts";
import { uuidv7 } from "../kernel/ids.ts";
import { cutPage, decodePageToken, pageLimit } from "../kernel/page.ts";
import { assertAdmin, ownedBy } from "../kernel/principal.ts";
import type { ChangeType } from "../ledger/posting.ts";
import type { UnitOfWork } from "../platform/unit-of-work.ts";
import { retryAtOnce } from "./find-deliveries.ts";
import { WebhookEndpointEntity, type WebhookEndpointRow } from "./webhook-endpoint.entity.ts";
import { newWebhookSecret, toSecretText } from "./webhook-secret.ts";
import { checkWebhookUrl } from "./webhook-url.ts";

/** What a new endpoint is to be. */
export interface NewWebhookEndpoint {
  readonly url: string;
  /** Empty: all. */
  readonly eventTypes: readonly ChangeType[];
  readonly description: string;
  readonly ordered: boolean;
  /** Undefined: the caller. */
  readonly ownerId: string | undefined;
}

/** What to change of an endpoint; what is undefined stays. */
export interface WebhookEndpointChange {
  readonly url: string | undefined;
  readonly eventTypes: readonly ChangeType[] | undefined;
  readonly description: string | undefined;
  readonly ordered: boolean | undefined;
  /** True also sends at once what failed before. */
  readonly enabled: boolean | undefined;
}

/** Which endpoints to list, by id. */
export interface ListWebhookEndpoints {
  /** Undefined: all that the caller may see. */
  readonly ownerId: string | undefined;
  readonly pageSize: number;
  readonly pageToken: string;
}

/** A page of endpoints; the token is empty on the last one. */
export interface WebhookEndpointPage {
  readonly endpoints: WebhookEndpointRow[];
  readonly nextPageToken: string;
}

/** An endpoint with what its requests are signed with, which isn't told a second time. */
export interface WebhookEndpointWithSecret {
  readonly endpoint: WebhookEndpointRow;
  readonly secret: string;
}

/** What owners do with their endpoints; another's is WEBHOOK_ENDPOINT_NOT_FOUND. */
export interface ManageWebhooks {
  /** Throws INVALID_FIELD, WEBHOOK_ENDPOINT_LIMIT, MISSING_SCOPE for another owner's. */
  create(call: Call, wanted: NewWebhookEndpoint): Promise<WebhookEndpointWithSecret>;
  get(call: Call, endpointId: string): Promise<WebhookEndpointRow>;
  /** Throws INVALID_PAGE_TOKEN. Of another owner the caller sees nothing. */
  list(call: Call, query: ListWebhookEndpoints): Promise<WebhookEndpointPage>;
  /** Throws INVALID_FIELD. */
  update(
    call: Call,
    endpointId: string,
    change: WebhookEndpointChange,
  ): Promise<WebhookEndpointRow>;
  /** What waits for it is never sent, and is removed later, see `clean-deliveries.ts`. */
  remove(call: Call, endpointId: string): Promise<void>;
  /** The secret before signs too for `gracePeriodMs` more; any older one ends at once. */
  rotate(
    call: Call,
    endpointId: string,
    gracePeriodMs?: number,
  ): Promise<WebhookEndpointWithSecret>;
}

/** Each event of an owner is sent to all of them. */
const MAX_ENDPOINTS = 20;
/** The first key of the advisory locks for owners who make endpoints; any constant of ours. */
const CREATION_LOCK = 7_236_115;
const DEFAULT_GRACE_PERIOD_MS = 24 * 3_600_000;

/** Makes what owners do with their endpoints. */
export function createManageWebhooks(deps: {
  readonly orm: MikroORM;
  readonly unitOfWork: UnitOfWork;
  /** Endpoints may be private addresses, and without TLS. */
  readonly allowPrivate: boolean;
}): ManageWebhooks {
  const { orm, unitOfWork } = deps;

  /** Changes an endpoint under its row's lock. */
  function change<T>(
    { principal }: Call,
    id: string,
    work: (endpoint: WebhookEndpointRow, now: Date) => T,
  ): Promise<T> {
    return unitOfWork.transaction(async (em) => {
      const endpoint = await em.findOne(
        WebhookEndpointEntity,
        { id, ...ownedBy(principal) },
        { lockMode: LockMode.PESSIMISTIC_WRITE },
      );
      if (!endpoint) throw new ServiceError("WEBHOOK_ENDPOINT_NOT_FOUND");
      endpoint.updateTime = await databaseNow(em);
      const result = work(endpoint, endpoint.updateTime);
      await em.flush();
      return result;
    });
  }

  return {
    async create({ principal }, { ownerId = principal.ownerId, ...wanted }) {
      if (ownerId !== principal.ownerId) assertAdmin(principal);
      const url = checkWebhookUrl(wanted.url, deps);
      const secret = newWebhookSecret();
      const endpoint = await unitOfWork.transaction(async (em) => {
        // One of an owner's at a time, or several count the same. No other lock is waited for.
        await em.execute("select pg_advisory_xact_lock(?, hashtext(?))", [CREATION_LOCK, ownerId]);
        if ((await em.count(WebhookEndpointEntity, { ownerId })) >= MAX_ENDPOINTS) {
          throw new ServiceError("WEBHOOK_ENDPOINT_LIMIT");
        }
        const now = await databaseNow(em);
        return em.create(WebhookEndpointEntity, {
          id: uuidv7(now.getTime()),
          ownerId,
          url,
          eventTypes: [...wanted.eventTypes],
          description: wanted.description,
          ordered: wanted.ordered,
          secret,
          previousSecret: null,
          previousExpireTime: null,
          ...BEGINNING,
          createTime: now,
          updateTime: now,
        });
      });
      return { endpoint, secret: toSecretText(secret) };
    },

    async get({ principal }, id) {
      const where = { id, ...ownedBy(principal) };
      const endpoint = await orm.em.fork().findOne(WebhookEndpointEntity, where);
      if (!endpoint) throw new ServiceError("WEBHOOK_ENDPOINT_NOT_FOUND");
      return endpoint;
    },

    async list({ principal }, { ownerId, pageSize, pageToken }) {
      const boundTo = ["ListWebhookEndpoints", principal.ownerId, ownerId];
      const [after] = decodePageToken(boundTo, pageToken) ?? [];
      const limit = pageLimit(pageSize);
      const found = await orm.em.fork().find(
        WebhookEndpointEntity,
        {
          $and: [
            ownerId ? { ownerId } : {},
            ownedBy(principal),
            after ? { id: { $gt: after } } : {},
          ],
        },
        { orderBy: { id: "asc" }, limit: limit + 1 },
      );
      const { rows: endpoints, nextPageToken } = cutPage(found, limit, boundTo, ({ id }) => [id]);
      return { endpoints, nextPageToken };
    },

    async update(call, id, wanted) {
      const { url: given, eventTypes, description, ordered, enabled } = wanted;
      if (Object.values(wanted).every((value) => value === undefined)) {
        throw invalidField("webhook_endpoint_id", "is given alone: say what to change");
      }
      const url = given === undefined ? undefined : checkWebhookUrl(given, deps);
      const endpoint = await change(call, id, (row) => {
        if (url !== undefined) row.url = url;
        if (eventTypes !== undefined) row.eventTypes = [...eventTypes];
        if (description !== undefined) row.description = description;
        if (ordered !== undefined) row.ordered = ordered;
        if (enabled === false && row.enabled) {
          Object.assign(row, { enabled: false, disabledReason: "updated" });
        }
        if (enabled === true) Object.assign(row, BEGINNING);
        return row;
      });
      // Not in that transaction: who writes results locks in the other order.
      if (enabled === true) await retryAtOnce(orm.em.fork(), id);
      return endpoint;
    },

    async remove({ principal }, id) {
      const where = { id, ...ownedBy(principal) };
      const removed = await orm.em.fork().nativeDelete(WebhookEndpointEntity, where);
      if (removed === 0) throw new ServiceError("WEBHOOK_ENDPOINT_NOT_FOUND");
    },

    rotate(call, id, gracePeriodMs = DEFAULT_GRACE_PERIOD_MS) {
      return change(call, id, (endpoint, now) => {
        const overlaps = gracePeriodMs > 0;
        endpoint.previousSecret = overlaps ? endpoint.secret : null;
        endpoint.previousExpireTime = overlaps ? new Date(now.getTime() + gracePeriodMs) : null;
        endpoint.secret = newWebhookSecret();
        return { endpoint, secret: toSecretText(endpoint.secret) };
      });
    },
  };
}

/** What an endpoint is when nothing has failed yet. */
const BEGINNING = {
  enabled: true,
  disabledReason: null,
  failures: 0,
  failingSince: null,
  pauseTime: null,
};

/** PostgreSQL's, and never later than it: an event from now on is for an endpoint from now. */
async function databaseNow(em: EntityManager): Promise<Date> {
  const [row] = await em.execute<{ ms: number }[]>(
    "select floor(extract(epoch from clock_timestamp()) * 1000)::float8 as ms",
  );
  return new Date(row!.ms);
}
