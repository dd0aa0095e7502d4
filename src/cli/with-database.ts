import { readConfig } from "../config.ts";
import { type Database, openDatabase } from "../platform/database.ts";
import { openDatabaseSource } from "../platform/database-source.ts";
import { entities } from "../schema.ts";

/** A check of a large ledger, or a migration, takes as long as it takes. */
const STATEMENT_TIMEOUT_MS = 24 * 3_600_000;

/**
 * Runs a command's work on the database that the settings name, or on the embedded one: also while
 * the service runs on it. Throws StartupError if it can't be had.
 */
export async function withDatabase<T>(work: (database: Database) => Promise<T>): Promise<T> {
  const source = await openDatabaseSource(readConfig({ serving: false }), { share: true });
  try {
    const database = await openDatabase({
      url: source.url,
      entities,
      poolSize: 2,
      commitPoolSize: 2,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    });
    try {
      return await work(database);
    } finally {
      await database.close();
    }
  } finally {
    await source.stop();
  }
}
