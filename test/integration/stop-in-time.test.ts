import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { CLOSE_EXTRA_MS } from "../../src/cli/serve.ts";
import { createMigratedDatabase } from "../support/ledger.ts";
import { startInstance } from "../support/service-instance.ts";
import { openSlowProxy } from "../support/slow-proxy.ts";

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
      const [debtorAccountId, creditorAccountId] = [randomUUID(), randomUUID()];
      const payment = { debtorAccountId, creditorAccountId, amountMinor: 1n };
      const pay = () => {
        const idempotencyKey = randomUUID();
        return instance.payBatch([{ ...payment, idempotencyKey }]).catch(() => undefined);
      };
      // Refused, but now the ledger has a connection, over which the next one waits.
      await pay();
      proxy.delay(Infinity);
      void pay();
      await sleep(500);
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
