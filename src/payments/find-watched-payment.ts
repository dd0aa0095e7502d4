import type { Call } from "../kernel/call.ts";
import { ServiceError } from "../kernel/errors.ts";
import { uuidv7TimeMs } from "../kernel/ids.ts";
import { isAdmin } from "../kernel/principal.ts";
import { inTurns } from "../kernel/turns.ts";
import type { Database } from "../platform/database.ts";
import type { PaymentRow } from "./payment.entity.ts";
import { ownSidesOf, sidesSeen, type OwnSides } from "./payment.ts";

/** What has to be known of payments before they're watched; those of many callers at once. */
const FIND = `
  select p.*, d.owner_id as debtor_owner, c.owner_id as creditor_owner
  from unnest($1::uuid[], $2::float8[]) as w(id, created_ms)
  cross join lateral (
    select id, sequence, status, reason, captured_minor, refunded_minor, refund_of_payment_id,
      retried_by_payment_id, debtor_account_id, creditor_account_id
    from payment where create_time = to_timestamp(w.created_ms / 1000) and id = w.id) p
  left join account d on d.id = p.debtor_account_id
  left join account c on c.id = p.creditor_account_id`;

/** What is known of a payment when it begins to be watched. */
export interface FoundPayment extends Pick<
  PaymentRow,
  | "sequence"
  | "status"
  | "reason"
  | "capturedMinor"
  | "refundedMinor"
  | "refundOfPaymentId"
  | "retriedByPaymentId"
  | "debtorAccountId"
  | "creditorAccountId"
> {
  /** Of its accounts, by their ids. */
  readonly owners: ReadonlyMap<string, string>;
}

interface FoundRow {
  readonly id: string;
  readonly sequence: number;
  readonly status: PaymentRow["status"];
  readonly reason: PaymentRow["reason"];
  readonly captured_minor: string;
  readonly refunded_minor: string;
  readonly refund_of_payment_id: string | null;
  readonly retried_by_payment_id: string | null;
  readonly debtor_account_id: string;
  readonly creditor_account_id: string;
  readonly debtor_owner: string;
  readonly creditor_owner: string;
}

/** Finds a payment for who wants to watch it. Throws PAYMENT_NOT_FOUND if it isn't theirs to see. */
export type FindWatched = (
  call: Call,
  paymentId: string,
) => Promise<{ readonly payment: FoundPayment; readonly own: OwnSides }>;

/** Makes the look-up: however many begin to watch at the same time, they cost one connection. */
export function createFindWatched({ watchPool }: Pick<Database, "watchPool">): FindWatched {
  const find = inTurns<FoundPayment>(async (ids) => {
    const times = ids.map(uuidv7TimeMs);
    const values = [`{${ids.join(",")}}`, `{${times.join(",")}}`];
    const query = { name: "watch-find-payments", text: FIND, values };
    const { rows } = await watchPool.query<FoundRow>(query);
    return new Map(rows.map((row) => [row.id, toFoundPayment(row)]));
  });
  return async ({ principal }, id) => {
    const payment = uuidv7TimeMs(id) === undefined ? undefined : await find(id);
    if (!payment) throw new ServiceError("PAYMENT_NOT_FOUND");
    const viewer = { ownerId: principal.ownerId, isAdmin: isAdmin(principal) };
    const own = ownSidesOf(viewer, payment, (accountId) => payment.owners.get(accountId));
    const { asDebtor, asCreditor } = sidesSeen(own, payment);
    if (!asDebtor && !asCreditor) throw new ServiceError("PAYMENT_NOT_FOUND");
    return { payment, own };
  };
}

function toFoundPayment(row: FoundRow): FoundPayment {
  const { debtor_account_id: debtorAccountId, creditor_account_id: creditorAccountId } = row;
  return {
    sequence: row.sequence,
    status: row.status,
    reason: row.reason,
    capturedMinor: BigInt(row.captured_minor),
    refundedMinor: BigInt(row.refunded_minor),
    refundOfPaymentId: row.refund_of_payment_id,
    retriedByPaymentId: row.retried_by_payment_id,
    debtorAccountId,
    creditorAccountId,
    owners: new Map([
      [debtorAccountId, row.debtor_owner],
      [creditorAccountId, row.creditor_owner],
    ]),
  };
}
