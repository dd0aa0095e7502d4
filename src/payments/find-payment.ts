import type { EntityManager, MikroORM } from "@mikro-orm/postgresql";
import { AccountEntity } from "../accounts/account.entity.ts";
import type { Call } from "../kernel/call.ts";
import { ServiceError } from "../kernel/errors.ts";
import { uuidv7TimeMs } from "../kernel/ids.ts";
import { decodePageToken, encodePageToken, pageLimit } from "../kernel/page.ts";
import { isAdmin, type Principal } from "../kernel/principal.ts";
import { amongRows } from "../platform/among-rows.ts";
import { findPaymentKeys, type PaymentFilter } from "./find-payment-keys.ts";
import { PaymentEntity, type PaymentRow } from "./payment.entity.ts";
import type { PaymentStatus } from "./payment.ts";

/** A payment and the sides that the caller may see it from. */
export interface SeenPayment {
  readonly payment: PaymentRow;
  readonly asDebtor: boolean;
  readonly asCreditor: boolean;
}

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
      const em = deps.orm.em.fork();
      const payment =
        timeMs === undefined
          ? null
          : await em.findOne(PaymentEntity, { id: paymentId, createTime: new Date(timeMs) });
      const [seen] = payment ? await asSeenBy(em, principal, [payment]) : [];
      if (!seen) throw new ServiceError("PAYMENT_NOT_FOUND");
      return seen;
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
      const keys = await findPaymentKeys(em, filter);
      const page = await em.find(
        PaymentEntity,
        amongRows(
          { create_time: "timestamptz", id: "uuid" },
          keys.slice(0, limit).map(({ createTime, id }) => ({ create_time: createTime, id })),
        ),
        { orderBy: { createTime: "desc", id: "desc" } },
      );
      const last = page.at(-1);
      const more = keys.length > limit && last;
      return {
        payments: await asSeenBy(em, principal, page),
        nextPageToken: more
          ? encodePageToken(boundTo, [last.createTime.toISOString(), last.id])
          : "",
      };
    },
  };
}

/** Adds the sides that the caller owns and drops what it may not see. An admin sees both sides. */
async function asSeenBy(
  em: EntityManager,
  principal: Principal,
  payments: PaymentRow[],
): Promise<SeenPayment[]> {
  if (isAdmin(principal)) {
    return payments.map((payment) => ({ payment, asDebtor: true, asCreditor: true }));
  }
  const ids = payments.flatMap((payment) => [payment.debtorAccountId, payment.creditorAccountId]);
  const own = await em.find(
    AccountEntity,
    { id: { $in: [...new Set(ids)] }, ownerId: principal.ownerId },
    { fields: ["id"] },
  );
  const ownIds = new Set(own.map((account) => account.id));
  return payments
    .map((payment) => ({
      payment,
      asDebtor: ownIds.has(payment.debtorAccountId),
      asCreditor: ownIds.has(payment.creditorAccountId) && payment.status !== "REJECTED",
    }))
    .filter((seen) => seen.asDebtor || seen.asCreditor);
}
