import { createHash } from "node:crypto";
import type { ChangeType } from "../ledger/posting.ts";
import type { Database } from "../platform/database.ts";
import type { SeenPayment } from "../payments/payment.ts";

/** A published event, with what decides who is told of it. */
export interface WebhookEvent {
  readonly eventId: string;
  readonly type: ChangeType;
  readonly paymentId: string;
  readonly sequence: number;
  readonly occurTimeMs: number;
  readonly debtorAccountId: string;
  readonly creditorAccountId: string;
  readonly isShownToCreditor: boolean;
  /** What is sent to the owner of these sides. */
  readonly bodyFor: (sides: Pick<SeenPayment, "asDebtor" | "asCreditor">) => string;
}

/** A delivery that is to be written. */
export interface PlannedDelivery {
  readonly id: string;
  readonly endpointId: string;
  readonly event: WebhookEvent;
  readonly body: string;
}

/** One of the events is at fault: it can't be told, however often it's tried. */
export class BadEventError extends Error {
  override readonly name = "BadEventError";

  constructor(cause: unknown) {
    super(String(cause), { cause });
  }
}

/**
 * Finds who is to be told of events: a delivery for each event and endpoint, in their order. Throws
 * BadEventError, and PostgreSQL's errors.
 */
export type PlanDeliveries = (events: readonly WebhookEvent[]) => Promise<PlannedDelivery[]>;

/** An endpoint with one of its owner's accounts. */
interface Listener {
  readonly account_id: string;
  readonly id: string;
  readonly event_types: readonly ChangeType[];
  readonly since_ms: number;
}

const IS_ANY = {
  name: "webhooks-is-any",
  text: "select exists (select from webhook_endpoint) as any",
};

const LISTENERS = {
  name: "webhooks-listeners",
  text: `select a.id as account_id, e.id, e.event_types,
      (extract(epoch from e.create_time) * 1000)::float8 as since_ms
    from account a join webhook_endpoint e on e.owner_id = a.owner_id
    where a.id = any($1::uuid[])`,
};

/**
 * Plans with one query for all events, and one that is next to nothing if nobody listens. An
 * endpoint gets what happened since it was made, disabled or not.
 */
export function createPlanDeliveries({
  outboxPool: pool,
}: Pick<Database, "outboxPool">): PlanDeliveries {
  return async (events) => {
    const { rows: any } = await pool.query<{ any: boolean }>(IS_ANY);
    if (!any[0]!.any) return [];
    const sides = events.flatMap((event) => [event.debtorAccountId, event.creditorAccountId]);
    const { rows } = await pool.query<Listener>({ ...LISTENERS, values: [[...new Set(sides)]] });
    const byAccount = Map.groupBy(rows, (row) => row.account_id);
    return events.flatMap((event) => {
      try {
        return planOne(event, byAccount);
      } catch (cause) {
        // Without I/O, so it's of the event itself, such as a time that JSON can't tell.
        throw new BadEventError(cause);
      }
    });
  };
}

function planOne(
  event: WebhookEvent,
  byAccount: ReadonlyMap<string, readonly Listener[]>,
): PlannedDelivery[] {
  const debtors = byAccount.get(event.debtorAccountId) ?? [];
  const creditors = event.isShownToCreditor ? (byAccount.get(event.creditorAccountId) ?? []) : [];
  const listeners = new Map([...debtors, ...creditors].map((one) => [one.id, one]));
  const bodies = new Map<string, string>();
  const has = (some: readonly Listener[], id: string) => some.some((one) => one.id === id);
  return [...listeners.values()]
    .filter((one) => one.event_types.length === 0 || one.event_types.includes(event.type))
    .filter((one) => one.since_ms <= event.occurTimeMs)
    .map(({ id }) => {
      const seen = { asDebtor: has(debtors, id), asCreditor: has(creditors, id) };
      const key = JSON.stringify(seen);
      const body = bodies.get(key) ?? event.bodyFor(seen);
      bodies.set(key, body);
      return { id: deliveryId(event.eventId, id), endpointId: id, event, body };
    });
}

/**
 * The same for the same event and endpoint: a UUID of version 8 (RFC 9562) with the time of the
 * event's id and, in the place of its random part, a hash of both.
 */
export function deliveryId(eventId: string, endpointId: string): string {
  const hash = createHash("sha256").update(`${eventId} ${endpointId}`).digest("hex");
  const variant = ((Number.parseInt(hash[3]!, 16) & 3) | 8).toString(16);
  return `${eventId.slice(0, 13)}-8${hash.slice(0, 3)}-${variant}${hash.slice(4, 7)}-${hash.slice(7, 19)}`;
}
