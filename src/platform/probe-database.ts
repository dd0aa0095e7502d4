import { Client } from "pg";
import { isConnectionError, sqlState } from "./postgres-errors.ts";
import { StartupError } from "./startup-error.ts";

const CONNECT_TIMEOUT_MS = 5_000;
const OLDEST_VERSION = 15;

/**
 * Resolves if a PostgreSQL that is new enough answers at the URL. Throws a StartupError that says
 * in one line what is wrong, without the password.
 */
export async function probeDatabase(url: string): Promise<void> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: CONNECT_TIMEOUT_MS,
  });
  client.on("error", () => undefined);
  let version: string | undefined;
  try {
    await client.connect();
    version = (await client.query<{ server_version: string }>("show server_version")).rows[0]
      ?.server_version;
  } catch (error) {
    throw describe(error, url);
  } finally {
    await client.end().catch(() => undefined);
  }
  if (Number.parseInt(version ?? "", 10) >= OLDEST_VERSION) return;
  throw new StartupError(
    "unavailable",
    `the database at ${placeOf(url)} is PostgreSQL ${version}: ${OLDEST_VERSION} is needed`,
  );
}

function describe(error: unknown, url: string): StartupError {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const verb =
    sqlState(error) !== undefined && !isConnectionError(error) ? "refuses us" : "can't be reached";
  return new StartupError(
    "unavailable",
    `the database at ${placeOf(url)} ${verb} (${message || code}): check DATABASE_URL`,
    { cause: error },
  );
}

/** Which database a URL means, `host:port/name`, without user and password. */
export function placeOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}
