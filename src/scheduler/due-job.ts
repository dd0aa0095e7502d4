import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "../platform/database.ts";
import type { Logger } from "../platform/logger.ts";
import { createDueMetrics, type Metrics } from "../platform/metrics.ts";
import { findOverdue, MAX_CLAIM, type DueWork, type RunDuePayments } from "./due-payments.ts";

/** What the job works with besides. */
export interface DueJobParts {
  readonly database: Pick<Database, "orm">;
  readonly logger: Logger;
  /** Get what is overdue added. */
  readonly metrics: Metrics;
}

/** How often to look: what is due is done within a second, with time to spare for the work. */
const EVERY_MS = 200;

/**
 * Does what is due of payments, round after round, expiries beside attempts. A round that fails is logged and what it left
 * is due again. Returns what ends the job, after the rounds that are under way.
 */
export function startDueJob(run: RunDuePayments, parts: DueJobParts): () => Promise<void> {
  const { database, logger, metrics } = parts;
  createDueMetrics(metrics, () => findOverdue(database));
  const stop = new AbortController();
  const kinds: DueWork[] = ["expiries", "attempts"];
  const ended = Promise.all(kinds.map((work) => loop(() => run(work), logger, stop.signal)));
  return async () => {
    stop.abort();
    await ended;
  };
}

async function loop(
  run: () => Promise<number>,
  logger: Logger,
  stopped: AbortSignal,
): Promise<void> {
  while (!stopped.aborted) {
    let claimed = 0;
    try {
      claimed = await run();
    } catch (err) {
      logger.error({ err }, "due payments can't be looked for");
    }
    // A full claim: there may be more.
    if (claimed < MAX_CLAIM) await sleep(EVERY_MS, undefined, { signal: stopped }).catch(() => {});
  }
}
