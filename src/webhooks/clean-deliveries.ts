import type { Database } from "../platform/database.ts";
import { KEPT_DAYS } from "./delivery-rows.ts";

const MAX_ROWS = 5_000;

/** By the times in their ids. */
const OLD = `
  delete from webhook_delivery where id in (select id from webhook_delivery
    where id < (lpad(to_hex((extract(epoch from clock_timestamp() - interval '${KEPT_DAYS} days') * 1000)::bigint),
      12, '0') || repeat('0', 20))::uuid
    order by id limit ${MAX_ROWS})`;

/** Each endpoint of which there are deliveries is looked up once. */
const LEFT_BEHIND = `
  with recursive listed (id) as (
    (select webhook_endpoint_id from webhook_delivery order by webhook_endpoint_id limit 1)
    union all
    select (select d.webhook_endpoint_id from webhook_delivery d
      where d.webhook_endpoint_id > l.id order by d.webhook_endpoint_id limit 1)
    from listed l where l.id is not null)
  delete from webhook_delivery where id in (select d.id
    from listed l cross join lateral (select id from webhook_delivery
      where webhook_endpoint_id = l.id limit ${MAX_ROWS}) d
    where not exists (select from webhook_endpoint e where e.id = l.id)
    limit ${MAX_ROWS})`;

/**
 * Removes deliveries that are older than 30 days, and those of endpoints that are gone, bit by bit.
 * Safe to run on every instance at once. Returns how many.
 */
export async function cleanDeliveries({
  outboxPool: pool,
}: Pick<Database, "outboxPool">): Promise<number> {
  let removed = 0;
  for (const text of [OLD, LEFT_BEHIND]) {
    for (let found = MAX_ROWS; found === MAX_ROWS; removed += found) {
      found = (await pool.query(text)).rowCount ?? 0;
    }
  }
  return removed;
}
