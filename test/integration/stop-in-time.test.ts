import { expect, test } from "vitest";
import { CLOSE_EXTRA_MS } from "../../src/cli/serve.ts";
import { createMigratedDatabase } from "../support/ledger.ts";
import { until } from "../support/relay.ts";
import { startInstance } from "../support/service-instance.ts";
import { openSlowProxy } from "../support/slow-proxy.ts";
import { runSql } from "../support/sql.ts";

const GRACE_MS = 1_000;
/** For a busy machine. */
const SLACK_MS = 5_000;

test(
  "a stop ends in time, with an error, though a part doesn't close",
  { timeout: 60_000 },
  async () => {
    const database = await createMigratedDatabase();
    const proxy = await openSlowProxy(database.url);
    const settings = { SHUTDOWN_GRACE_MS: String(GRACE_MS) };
    const instance = await startInstance(proxy.url, settings);
    try {
      // Then its relay has a connection, over which it will want to give its leases back.
      const text = "select exists (select from relay)";
      await until(async () => (await runSql(database.url, text))[0]![0] === true, "a relay");
      proxy.delay(Infinity);
      const startMs = performance.now();
      const code = await instance.stop();
      const tookMs = performance.now() - startMs;
      expect(code).toBe(1);
      expect(tookMs).toBeLessThan(GRACE_MS + CLOSE_EXTRA_MS + SLACK_MS);
    } finally {
      await instance.kill();
      await proxy.close();
      await database.drop();
    }
  },
);
