import { randomBytes } from "node:crypto";
import type { DestinationStream } from "pino";
import { createApp } from "../../src/app.ts";
import { type Environment, readConfig } from "../../src/config.ts";
import { createLogger } from "../../src/platform/logger.ts";
import { createMigratedDatabase } from "./ledger.ts";

/** The whole service in this process, on a database of its own. */
export interface TestApp {
  /** Empty for one that takes no calls. */
  readonly apiUrl: string;
  readonly adminUrl: string;
  readonly adminKey: string;
  /** Not ready any more, but working. */
  readonly announceStop: () => void;
  readonly stop: () => Promise<void>;
}

/**
 * Starts the service on free ports of the loopback, with further settings if given: also a
 * `DATABASE_URL`, in place of a database that is dropped by `stop`. Its log goes to `log`, if given.
 */
export async function startTestApp(
  settings: Environment = {},
  log?: DestinationStream,
): Promise<TestApp> {
  const database = settings["DATABASE_URL"] ? undefined : await createMigratedDatabase();
  const adminKey = randomBytes(32).toString("base64url");
  const config = readConfig(
    { serving: true },
    {
      DATABASE_URL: database?.url,
      ADMIN_API_KEY: adminKey,
      PORT: "0",
      ADMIN_PORT: "0",
      LOG_LEVEL: "silent",
      ...settings,
    },
  );
  const app = createApp({ config, adminKey, logger: createLogger(config.LOG_LEVEL, log) });
  const { apiUrl = "", adminUrl } = await app.start();
  return {
    apiUrl,
    adminUrl,
    adminKey,
    announceStop: () => app.announceStop(),
    async stop() {
      await app.close();
      await database?.drop();
    },
  };
}
