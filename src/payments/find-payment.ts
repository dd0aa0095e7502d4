import { raw, type EntityManager, type MikroORM } from "@mikro-orm/postgresql";
import { AccountEntity } from "../accounts/account.entity.ts";
import type { Call } from "../kernel/call.ts";
import { ServiceError } from "../kernel/errors.ts";
import { uuidv7TimeMs } from "../kernel/ids.ts";
import { cutPage, decodePageToken, pageLimit } from "../kernel/page.ts";
import { isAdmin, type Principal } from "../kernel/principal.ts";
import { amongRows } from "../platform/among-rows.ts";
import {
  findPaymentKeys,
  SHOWN_TO_CREDITOR,
  type PaymentFilter,
  type PaymentKey,
} from "./find-payment-keys.ts";
import { PaymentEntity, type PaymentRow } from "./payment.entity.ts";
import type { PaymentStatus } from "../kernel/payment-states.ts";
import { seenBy, type SeenPayment } from "./payment.ts";

/** Which payments to list, the latest first. */
export interface ListPayments {
  readonly accountId: string | undefined;
  readonly status: PaymentStatus | undefined;
  readonly startTime: Date | undefined;
  readonly endTime: Date | undefined;
  readonly pageSize: number;
  readonly pageToken: string;
}

/** A page of payments; the token is empty on the last one. */
export interface PaymentPage {
  readonly payments: SeenPayment[];
  readonly nextPageToken: string;
}

/** The reads of payments. */
export interface FindPayment {
  /** Throws PAYMENT_NOT_FOUND if it isn't there or isn't the caller's to see. */
  get(call: Call, paymentId: string): Promise<SeenPayment>;
  /** Throws ACCOUNT_NOT_FOUND for an account that isn't the caller's, INVALID_PAGE_TOKEN. */
  list(call: Call, query: ListPayments): Promise<PaymentPage>;
}

/** Makes the reads of payments; each touches only the partitions that it must. */
export function createFindPayment(deps: { readonly orm: MikroORM }): FindPayment {
  return {
    async get({ principal }, paymentId) {
      const timeMs = uuidv7TimeMs(paymentId);
      if (timeMs === undefined) throw new ServiceError("PAYMENT_NOT_FOUND");
      const em = deps.orm.em.fork();
      const key = { id: paymentId, createTime: new Date(timeMs) };
      const payment = await em.findOne(PaymentEntity, { ...key, ...visibleTo(principal) });
      if (!payment) throw new ServiceError("PAYMENT_NOT_FOUND");
      const [seen] = await asSeenBy(em, principal, [payment]);
      return seen!;
    },

    async list({ principal }, query) {
      const em = deps.orm.em.fork();
      const { pageSize, pageToken, ...filters } = query;
      const boundTo = ["ListPayments", principal.ownerId, filters];
      const [time, id] = decodePageToken(boundTo, pageToken) ?? [];
      const limit = pageLimit(pageSize);
      const filter: PaymentFilter = {
        ...filters,
        before: time && id ? { createTime: new Date(time), id } : undefined,
        ownerId: isAdmin(principal) ? undefined : principal.ownerId,
        limit: limit + 1,
      };
      if (filter.accountId && filter.ownerId !== undefined) {
        const own = { id: filter.accountId, ownerId: filter.ownerId };
        if ((await em.count(AccountEntity, own)) === 0) throw new ServiceError("ACCOUNT_NOT_FOUND");
      }
      const found = await findPaymentKeys(em, filter);
      const { rows: keys, nextPageToken } = cutPage(found, limit, boundTo, cursorOf);
      const page = await em.find(
        PaymentEntity,
        amongRows(
          { create_time: "timestamptz", id: "uuid" },
          keys.map(({ createTime, id }) => ({ create_time: createTime, id })),
        ),
        { orderBy: { createTime: "desc", id: "desc" } },
      );
      return { payments: await asSeenBy(em, principal, page), nextPageToken };
    },
  };
}

function cursorOf({ createTime, id }: PaymentKey): string[] {
  return [createTime.toISOString(), id];
}

/**
 * The condition that a payment is the caller's to see. Part of the query, so that what isn't takes
 * the same way as what isn't there.
 */
function visibleTo(principal: Principal): Record<symbol, []> {
  if (isAdmin(principal)) return {};
  const condition = raw(
    (payment) => `exists (select from account where account.owner_id = ? and account.id in (
      ${payment}.debtor_account_id,
      case when ${payment}.${SHOWN_TO_CREDITOR} then ${payment}.creditor_account_id end))`,
    [principal.ownerId],
  );
  return { [condition]: [] };
}

/** Adds the sides that the caller owns. */
async function asSeenBy(
  em: EntityManager,
  principal: Principal,
  payments: PaymentRow[],
): Promise<SeenPayment[]> {
  const { ownerId } = principal;
  const viewer = { ownerId, isAdmin: isAdmin(principal) };
  const ids = payments.flatMap((payment) => [payment.debtorAccountId, payment.creditorAccountId]);
  const own = viewer.isAdmin
    ? []
    : await em.find(AccountEntity, { id: { $in: [...new Set(ids)] }, ownerId }, { fields: ["id"] });
  const ownIds = new Set(own.map((account) => account.id));
  return payments.map((payment) =>
    seenBy(viewer, payment, (id) => (ownIds.has(id) ? ownerId : undefined)),
  );
}
