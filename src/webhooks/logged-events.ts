import type { Database } from "../platform/database.ts";
import type { Logger } from "../platform/logger.ts";
import { KEPT_DAYS } from "./delivery-rows.ts";
import type { WebhookEvent } from "./plan-deliveries.ts";
import { takeByHalves, type TakeEvents } from "./take-events.ts";

/** What came of taking events from the log. */
export interface TakenFromLog {
  readonly events: number;
  /** Those that weren't there yet. */
  readonly deliveries: number;
}

/** The published events in PostgreSQL, for a notifier that doesn't find them in Kafka. */
export interface LoggedEvents {
  /** False as long as there is no endpoint: then nobody misses an event. */
  readonly areMissed: () => Promise<boolean>;
  /**
   * Takes all that PostgreSQL still has of these shards, those of a payment in order. Throws
   * PostgreSQL's errors, and the signal's reason once that is given.
   */
  readonly take: (shards: readonly number[], signal: AbortSignal) => Promise<TakenFromLog>;
}

const PAGE_ROWS = 500;
const UNTELLABLE = "an event of the log can't be told";

const ARE_MISSED = {
  name: "webhooks-are-missed",
  text: "select exists (select from webhook_endpoint) as any",
};

/**
 * By the primary key, which every partition has in order; it's the order of a payment too. What is
 * older than a delivery may be isn't looked for.
 */
const PAGE = {
  name: "webhooks-logged-events",
  text: `select payment_id, sequence, payload from payment_event e
    where (payment_id, sequence) > ($1::uuid, $2::int) and shard = any($3::smallint[])
      and not exists (select from unpublished_event u where u.shard = e.shard and u.id = e.id)
      and create_time > now() - interval '${KEPT_DAYS} days'
    order by payment_id, sequence limit ${PAGE_ROWS}`,
};
const BEFORE_ALL = { payment_id: "00000000-0000-0000-0000-000000000000", sequence: 0 };

interface LogRow {
  readonly payment_id: string;
  readonly sequence: number;
  readonly payload: Buffer;
}

/** Reads the log page by page, in transactions of their own. */
export function createLoggedEvents(deps: {
  readonly database: Pick<Database, "outboxPool">;
  readonly readEvent: (body: Uint8Array) => WebhookEvent;
  readonly takeEvents: TakeEvents;
  readonly logger: Logger;
}): LoggedEvents {
  const { readEvent, takeEvents, logger } = deps;
  const pool = deps.database.outboxPool;

  /** As from Kafka: what isn't an event holds up nobody. */
  function read(rows: readonly LogRow[]): { readonly event: WebhookEvent }[] {
    return rows.flatMap(({ payment_id: paymentId, sequence, payload }) => {
      try {
        return [{ event: readEvent(payload) }];
      } catch (err) {
        logger.error({ err, paymentId, sequence }, UNTELLABLE);
        return [];
      }
    });
  }

  return {
    async areMissed() {
      const { rows } = await pool.query<{ any: boolean }>(ARE_MISSED);
      return rows[0]!.any;
    },
    async take(shards, signal) {
      const taken = { events: 0, deliveries: 0 };
      const takeCounted = async (events: readonly WebhookEvent[]) => {
        taken.deliveries += await takeEvents(events);
      };
      let last: Pick<LogRow, "payment_id" | "sequence"> = BEFORE_ALL;
      for (let found = PAGE_ROWS; found === PAGE_ROWS;) {
        signal.throwIfAborted();
        const values = [last.payment_id, last.sequence, shards];
        const { rows } = await pool.query<LogRow>({ ...PAGE, values });
        for (const { one, error: err } of await takeByHalves(read(rows), takeCounted)) {
          logger.error({ err, eventId: one.event.eventId }, UNTELLABLE);
        }
        taken.events += rows.length;
        found = rows.length;
        last = rows.at(-1) ?? last;
      }
      return taken;
    },
  };
}
