import { migrate, pendingMigrations, type Database } from "../platform/database.ts";
import { StartupError } from "../platform/startup-error.ts";
import { ensurePartitions } from "./partitions.ts";

/**
 * Makes the database fit this program and returns the names of the migrations that it ran. Throws
 * what `assertMigrated` throws if migrations are missing and `mayMigrate` isn't set.
 */
export async function prepareSchema(
  database: Database,
  { mayMigrate }: { mayMigrate: boolean },
): Promise<string[]> {
  if (!mayMigrate) await assertMigrated(database);
  const done = mayMigrate ? await migrate(database) : [];
  await ensurePartitions(database);
  return done;
}

/** Throws a StartupError that names the command to run if migrations are missing. */
export async function assertMigrated(database: Database): Promise<void> {
  const pending = await pendingMigrations(database);
  if (pending.length === 0) return;
  throw new StartupError(
    "unavailable",
    `the database lacks ${pending.length === 1 ? "a migration" : "migrations"} ` +
      `(${pending.join(", ")}): run "npx instant-payment migrate", or set MIGRATE=auto`,
  );
}
