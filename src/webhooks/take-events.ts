import type { Database } from "../platform/database.ts";
import { sqlState } from "../platform/postgres-errors.ts";
import { deliveryValues, insertDeliveries } from "./delivery-rows.ts";
import { BadEventError, type PlanDeliveries, type WebhookEvent } from "./plan-deliveries.ts";

/** Of one statement: at a few KiB each they're a few MiB. */
const MAX_ROWS = 1_000;

/**
 * Takes events, of which all of a payment's have to come in their order; how many deliveries that
 * made. Throws BadEventError if one of them is at fault, and PostgreSQL's errors.
 */
export type TakeEvents = (events: readonly WebhookEvent[]) => Promise<number>;

/**
 * Writes the deliveries of events, once however often an event comes: what the ids stand for is
 * the inbox. All of a payment's events have to come in their order, as the topic has them. Throws
 * BadEventError if one of them is at fault; any other error says nothing about the events, so all
 * of them have to be taken again.
 */
export function createTakeEvents(deps: {
  readonly database: Pick<Database, "outboxPool">;
  readonly plan: PlanDeliveries;
  /** Told when there may be new deliveries. */
  readonly written: () => void;
}): TakeEvents {
  const { database, plan, written } = deps;
  const text = insertDeliveries(1);
  async function write(events: readonly WebhookEvent[]): Promise<number> {
    const planned = await plan(events);
    let rows = 0;
    for (let first = 0; first < planned.length; first += MAX_ROWS) {
      const values = deliveryValues(planned.slice(first, first + MAX_ROWS));
      const { rowCount } = await database.outboxPool.query({
        name: "webhooks-insert",
        text,
        values,
      });
      rows += rowCount ?? 0;
    }
    if (planned.length > 0) written();
    return rows;
  }
  return async (events) => {
    try {
      return await write(events);
    } catch (error) {
      throw isOfValues(error) ? new BadEventError(error) : error;
    }
  };
}

/** What can't be taken, and why. */
export interface BadEvent<T> {
  readonly one: T;
  readonly error: BadEventError;
}

/**
 * Takes events in their order: all at once, or by halves until who is at fault stands alone. Returns
 * those; throws what `take` throws otherwise.
 */
export async function takeByHalves<T extends { readonly event: WebhookEvent }>(
  some: readonly T[],
  take: (events: readonly WebhookEvent[]) => Promise<unknown>,
  beforeHalf: () => Promise<void> = async () => undefined,
): Promise<BadEvent<T>[]> {
  try {
    await take(some.map(({ event }) => event));
    return [];
  } catch (error) {
    if (!(error instanceof BadEventError)) throw error;
    if (some.length === 1) return [{ one: some[0]!, error }];
    await beforeHalf();
    const half = Math.ceil(some.length / 2);
    const bad = await takeByHalves(some.slice(0, half), take, beforeHalf);
    return [...bad, ...(await takeByHalves(some.slice(half), take, beforeHalf))];
  }
}

/**
 * True if PostgreSQL says of the values themselves that it doesn't take them (SQLSTATE 22 and 23).
 * Not of a connection, a lock or a disk, nor of a table or right that it lacks: those are mended.
 */
function isOfValues(error: unknown): boolean {
  return /^2[23]/.test(sqlState(error) ?? "");
}
