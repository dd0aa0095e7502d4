import type { MikroORM } from "@mikro-orm/postgresql";
import { PaymentEventEntity, type PaymentEventRow } from "./payment-event.entity.ts";

/** The log of committed changes, for people who look at it. */
export interface EventLog {
  /** The latest events, the oldest of them first. */
  latest(limit: number): Promise<PaymentEventRow[]>;
  /** The events committed since the last look, or in the last minute; each once. */
  fresh(): Promise<PaymentEventRow[]>;
}

const MINUTE_MS = 60_000;
/** Further and further back, so that the latest of a busy log cost little. */
const LOOK_BACK_MS = [MINUTE_MS, 60 * MINUTE_MS, 24 * 60 * MINUTE_MS, 8 * 24 * 60 * MINUTE_MS];

/**
 * Reads the log by time. A transaction may commit an event after later ones, so each look goes a
 * minute back and leaves out what it has shown.
 */
export function createEventLog(deps: {
  readonly orm: MikroORM;
  readonly now: () => number;
}): EventLog {
  let shown = new Set<string>();

  async function since(ms: number, limit?: number): Promise<PaymentEventRow[]> {
    const rows = await deps.orm.em
      .fork()
      .find(
        PaymentEventEntity,
        { createTime: { $gte: new Date(deps.now() - ms) } },
        { orderBy: { id: "desc" }, ...(limit !== undefined && { limit }) },
      );
    return rows.toReversed();
  }

  return {
    async latest(limit) {
      let rows: PaymentEventRow[] = [];
      for (const ms of LOOK_BACK_MS) {
        rows = await since(ms, limit);
        if (rows.length === limit) break;
      }
      shown = new Set([...shown, ...rows.map((row) => row.eventId)]);
      return rows;
    },
    async fresh() {
      const rows = await since(MINUTE_MS);
      const unseen = rows.filter((row) => !shown.has(row.eventId));
      shown = new Set(rows.map((row) => row.eventId));
      return unseen;
    },
  };
}
