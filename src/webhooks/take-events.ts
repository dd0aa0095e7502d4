import type { Database } from "../platform/database.ts";
import { deliveryValues, insertDeliveries } from "./delivery-rows.ts";
import type { PlanDeliveries, WebhookEvent } from "./plan-deliveries.ts";

/** Of one statement: at a few KiB each they're a few MiB. */
const MAX_ROWS = 1_000;

/**
 * Writes the deliveries of events, once however often an event comes: what the ids stand for is
 * the inbox. All of a payment's events have to come in their order, as the topic has them.
 */
export function createTakeEvents(deps: {
  readonly database: Pick<Database, "outboxPool">;
  readonly plan: PlanDeliveries;
  /** Told when there may be new deliveries. */
  readonly written: () => void;
}): (events: readonly WebhookEvent[]) => Promise<void> {
  const { database, plan, written } = deps;
  const text = insertDeliveries(1);
  return async (events) => {
    const planned = await plan(events);
    for (let first = 0; first < planned.length; first += MAX_ROWS) {
      const values = deliveryValues(planned.slice(first, first + MAX_ROWS));
      await database.outboxPool.query({ name: "webhooks-insert", text, values });
    }
    if (planned.length > 0) written();
  };
}
