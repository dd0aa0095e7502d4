import type { MarkEffect } from "../events/publisher.ts";
import type { Database } from "../platform/database.ts";
import { deliveryValues, insertDeliveries } from "./delivery-rows.ts";
import { createPlanDeliveries, type WebhookEvent } from "./plan-deliveries.ts";

const IS_WANTED = {
  name: "webhooks-is-wanted",
  // An owner without accounts has no payments.
  text: `select exists (select from webhook_endpoint e
    where exists (select from account a where a.owner_id = e.owner_id)) as wanted`,
};

/**
 * Without Kafka: deliveries are written by the statement that marks their events as published.
 * Nobody wants to have events as long as no owner of accounts has an endpoint.
 */
export function createWebhookEffect(deps: {
  readonly database: Pick<Database, "outboxPool">;
  readonly readEvent: (body: Uint8Array) => WebhookEvent;
  /** Told when there may be new deliveries. */
  readonly written: () => void;
}): MarkEffect {
  const plan = createPlanDeliveries(deps.database);
  return {
    async isWanted() {
      const { rows } = await deps.database.outboxPool.query<{ wanted: boolean }>(IS_WANTED);
      return rows[0]!.wanted;
    },
    insert: (first) =>
      insertDeliveries(
        first,
        "(d.payment_id, d.sequence) in (select payment_id, sequence from marked)",
      ),
    valuesOf: async (events) =>
      deliveryValues(await plan(events.map(({ payload }) => deps.readEvent(payload)))),
    written: deps.written,
  };
}
