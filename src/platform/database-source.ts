import { resolve } from "node:path";
import { startEmbeddedPostgres } from "./embedded-postgres.ts";
import { placeOf, probeDatabase } from "./probe-database.ts";

/** A PostgreSQL that answers. */
export interface DatabaseSource {
  readonly url: string;
  /** Which one it is, for people: `host:port/name`, or the embedded one's directory. */
  readonly place: string;
  /** Ends it if it's the embedded one and ours. */
  readonly stop: () => Promise<void>;
}

/**
 * The PostgreSQL that the settings name, or the embedded one in the data directory. `share` also
 * takes one that another process of ours runs there. Throws StartupError if it can't be had.
 */
export async function openDatabaseSource(
  settings: { readonly DATABASE_URL: string | undefined; readonly DATA_DIR: string },
  { share }: { share: boolean },
): Promise<DatabaseSource> {
  if (settings.DATABASE_URL === undefined) {
    const dataDir = settings.DATA_DIR;
    const embedded = await startEmbeddedPostgres({ dataDir, database: "instant_payment", share });
    return { ...embedded, place: `embedded ${resolve(dataDir)}` };
  }
  await probeDatabase(settings.DATABASE_URL);
  const url = settings.DATABASE_URL;
  return { url, place: placeOf(url), stop: async () => {} };
}
