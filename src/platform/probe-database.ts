import { Client } from "pg";
import { isConnectionError, sqlState } from "./postgres-errors.ts";
import { StartupError } from "./startup-error.ts";

const CONNECT_TIMEOUT_MS = 5_000;
const OLDEST_VERSION = 15;

/**
 * Resolves if a PostgreSQL that is new enough, and keeps text as UTF8, answers at the URL. Throws a
 * StartupError that says in one line what is wrong, without the password.
 */
export async function probeDatabase(url: string): Promise<void> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: CONNECT_TIMEOUT_MS,
  });
  client.on("error", () => undefined);
  let found: { version: string; encoding: string } | undefined;
  try {
    await client.connect();
    const { rows } = await client.query<{ version: string; encoding: string }>(
      "select current_setting('server_version') as version, " +
        "current_setting('server_encoding') as encoding",
    );
    found = rows[0];
  } catch (error) {
    throw describe(error, url);
  } finally {
    await client.end().catch(() => undefined);
  }
  const is = `the database at ${placeOf(url)} is`;
  if (!(Number.parseInt(found?.version ?? "", 10) >= OLDEST_VERSION)) {
    const reason = `${is} PostgreSQL ${found?.version}: ${OLDEST_VERSION} is needed`;
    throw new StartupError("unavailable", reason);
  }
  if (found?.encoding !== "UTF8") {
    // Payments with a text that this encoding hasn't would fail for good.
    throw new StartupError(
      "unavailable",
      `${is} encoded in ${found?.encoding}, UTF8 is needed: make one with CREATE DATABASE name ` +
        "ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0",
    );
  }
}

function describe(error: unknown, url: string): StartupError {
  const message = error instanceof Error ? error.message : String(error);
  if (/client password must be/.test(message)) {
    const reason = `the database at ${placeOf(url)} asks for a password, and DATABASE_URL has none`;
    return new StartupError("unavailable", reason, { cause: error });
  }
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
