import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createAccountWatchers, type AccountNews } from "../../src/accounts/watch-account.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { openDatabase, type Database } from "../../src/platform/database.ts";
import { createLogger } from "../../src/platform/logger.ts";
import { entities } from "../../src/schema.ts";
import { openCuttingProxy, type CuttingProxy } from "../support/cutting-proxy.ts";
import { callAs } from "../support/ledger.ts";
import { until } from "../support/relay.ts";
import { useLedger } from "../support/use-ledger.ts";

const HEARTBEAT_MS = 150;

const used = useLedger();
let proxy: CuttingProxy;
/** The watchers' way to PostgreSQL; the ledger has its own. */
let database: Database;
beforeAll(async () => {
  proxy = await openCuttingProxy(used.url);
  database = await openDatabase({ url: proxy.url, entities, poolSize: 1, commitPoolSize: 1 });
});
afterAll(async () => {
  await database.close();
  await proxy.close();
});

test("a heartbeat says that nothing is new, so there's none while PostgreSQL is away; then all is told", async () => {
  const { ledger } = used;
  const [from, to] = [await ledger.openFunded(1_000n), await ledger.open()];
  const { watchAccount } = createAccountWatchers({
    database,
    clock: systemClock,
    logger: createLogger("silent"),
    heartbeatMs: HEARTBEAT_MS,
  });
  const stop = new AbortController();
  const request = { accountId: to.id, afterSequence: undefined };
  const heard: AccountNews[] = [];
  async function listen(): Promise<void> {
    for await (const news of watchAccount(callAs("alice"), request, stop.signal)) heard.push(news);
  }
  const listening = listen();
  await until(() => heard.length >= 4, "heartbeats");
  expect(heard[0]).toMatchObject({ entry: undefined, balance: { postedMinor: 0n } });
  expect(heard.slice(1)).toEqual(heard.slice(1).map(() => undefined));

  proxy.goAway(true);
  await sleep(100);
  const before = heard.length;
  const sides = { debtorAccountId: from.id, creditorAccountId: to.id };
  for (let i = 0; i < 3; i++) await ledger.pay({ ...sides, amountMinor: 1n });
  await sleep(4 * HEARTBEAT_MS);
  expect(heard).toHaveLength(before);

  proxy.goAway(false);
  await until(() => heard.length >= before + 3, "the entries");
  const entries = heard.slice(before, before + 3).map((news) => news?.entry?.entrySequence);
  expect(entries).toEqual([1, 2, 3]);
  stop.abort();
  await expect(listening).rejects.toThrow("aborted");
});
