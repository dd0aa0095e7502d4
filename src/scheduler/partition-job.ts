import type { Database } from "../platform/database.ts";
import type { Logger } from "../platform/logger.ts";
import { dropPublishedEvents } from "./event-partitions.ts";
import { ensurePartitions } from "./partitions.ts";

const EVERY_MS = 60 * 60 * 1_000;

/**
 * Makes the coming partitions and drops those of published events every hour, for the first time
 * after one; they reach a week ahead, so a failed try is only logged.
 * Returns what ends the job, after a try that is under way.
 */
export function startPartitionJob(database: Database, logger: Logger): () => Promise<void> {
  let last = Promise.resolve();
  const timer = setInterval(() => {
    last = tryOnce(database, logger);
  }, EVERY_MS);
  return () => {
    clearInterval(timer);
    return last;
  };
}

async function tryOnce(database: Database, logger: Logger): Promise<void> {
  try {
    const partitions = await ensurePartitions(database);
    if (partitions.length > 0) logger.info({ partitions }, "partitions made");
    const dropped = await dropPublishedEvents(database);
    if (dropped.length > 0) logger.info({ dropped }, "partitions dropped");
  } catch (err) {
    logger.error({ err }, "partitions can't be made or dropped");
  }
}
