import type { Database } from "../platform/database.ts";
import { sqlState } from "../platform/postgres-errors.ts";
import { deliveryValues, insertDeliveries } from "./delivery-rows.ts";
import { BadEventError, type PlanDeliveries, type WebhookEvent } from "./plan-deliveries.ts";

/** Of one statement: at a few KiB each they're a few MiB. */
const MAX_ROWS = 1_000;

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
}): (events: readonly WebhookEvent[]) => Promise<void> {
  const { database, plan, written } = deps;
  const text = insertDeliveries(1);
  async function write(events: readonly WebhookEvent[]): Promise<void> {
    const planned = await plan(events);
    for (let first = 0; first < planned.length; first += MAX_ROWS) {
      const values = deliveryValues(planned.slice(first, first + MAX_ROWS));
      await database.outboxPool.query({ name: "webhooks-insert", text, values });
    }
    if (planned.length > 0) written();
  }
  return async (events) => {
    try {
      await write(events);
    } catch (error) {
      throw isOfValues(error) ? new BadEventError(error) : error;
    }
  };
}

/**
 * True if PostgreSQL says of the values themselves that it doesn't take them (SQLSTATE 22 and 23).
 * Not of a connection, a lock or a disk, nor of a table or right that it lacks: those are mended.
 */
function isOfValues(error: unknown): boolean {
  return /^2[23]/.test(sqlState(error) ?? "");
}
