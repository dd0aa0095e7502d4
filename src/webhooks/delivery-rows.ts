import type { PlannedDelivery } from "./plan-deliveries.ts";

/**
 * How long deliveries are kept, whatever became of them. An event that is older, because somebody
 * reads a topic from its beginning, was delivered long ago.
 */
export const KEPT_DAYS = 30;

/**
 * The statement that writes deliveries, once however often it's run. Its parameters begin at
 * `$first`; `condition` may look at `d.payment_id` and `d.sequence`.
 */
export function insertDeliveries(first: number, condition = "true"): string {
  const types = ["uuid", "uuid", "uuid", "uuid", "int", "text", "text", "float8"];
  const columns = types.map((type, i) => `$${first + i}::${type}[]`).join(", ");
  return `insert into webhook_delivery (id, webhook_endpoint_id, event_id, payment_id, sequence,
      event_type, body, occur_time, next_attempt_time)
    select d.id, d.endpoint_id, d.event_id, d.payment_id, d.sequence, d.event_type, d.body,
      to_timestamp(d.ms / 1000), clock_timestamp()
    from unnest(${columns})
      as d(id, endpoint_id, event_id, payment_id, sequence, event_type, body, ms)
    where to_timestamp(d.ms / 1000) > clock_timestamp() - interval '${KEPT_DAYS} days'
      and ${condition}
    on conflict (id) do nothing`;
}

/** The parameters of that statement. */
export function deliveryValues(planned: readonly PlannedDelivery[]): unknown[] {
  return [
    planned.map(({ id }) => id),
    planned.map(({ endpointId }) => endpointId),
    planned.map(({ event }) => event.eventId),
    planned.map(({ event }) => event.paymentId),
    planned.map(({ event }) => event.sequence),
    planned.map(({ event }) => event.type),
    planned.map(({ body }) => body),
    planned.map(({ event }) => event.occurTimeMs),
  ];
}
