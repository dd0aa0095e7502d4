import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { expectInvariants } from "../support/invariants.ts";
import { createMigratedDatabase, openLedger, type TestLedger } from "../support/ledger.ts";
import type { TestDatabase } from "../support/postgres.ts";
import { startRedis, type RedisService } from "../support/services/redis.ts";
import { startInstance, type ServiceInstance } from "../support/service-instance.ts";

const CALLERS = 8;

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let redis: RedisService;
let database: TestDatabase;
let ledger: TestLedger;
let observer: Client;
let instances: ServiceInstance[];
let shop: string;
let payers: string[];

beforeAll(async () => {
  redis = await startRedis({ own: true });
});

beforeEach(async () => {
  database = await createMigratedDatabase();
  ledger = await openLedger(database.url);
  observer = new Client({ connectionString: database.url });
  await observer.connect();
  shop = (await ledger.open()).id;
  payers = [];
  for (let i = 0; i < 30; i++) payers.push((await ledger.openFunded(1_000_000n)).id);
});

afterEach(async () => {
  await Promise.all(instances.map((instance) => instance.kill()));
  await observer.end();
  await ledger.close();
  await expectInvariants(database.url);
  await database.drop();
});

afterAll(() => redis?.stop());

/** Pays the shop through three processes, from many callers at once, while `work` runs. */
async function underLoad<T>(
  settings: Record<string, string>,
  work: () => Promise<T>,
): Promise<{ result: T; statuses: Set<string> }> {
  instances = await Promise.all([1, 2, 3].map(() => startInstance(database.url, settings)));
  const statuses = new Set<string>();
  const over = new AbortController();
  async function keepPaying(instance: ServiceInstance): Promise<void> {
    while (!over.signal.aborted) {
      const debtorAccountId = payers[randomInt(payers.length)]!;
      const amountMinor = BigInt(randomInt(1, 10));
      const request = { debtorAccountId, creditorAccountId: shop, amountMinor };
      statuses.add(
        (await instance.pay({ idempotencyKey: crypto.randomUUID(), ...request })).payment.status,
      );
    }
  }
  const callers = instances.flatMap((instance) =>
    Array.from({ length: CALLERS }, () => keepPaying(instance)),
  );
  try {
    return { result: await work(), statuses };
  } finally {
    over.abort();
    await Promise.all(callers);
  }
}

/** How often so many transactions were seen waiting for a lock at once, looked at for 2 s. */
async function watchWaiting(): Promise<Record<number, number>> {
  const seen: Record<number, number> = {};
  for (const endMs = performance.now() + 2_000; performance.now() < endMs; await sleep(2)) {
    const { rows } = await observer.query<{ waiting: number }>(
      `select count(*)::int as waiting from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock'`,
    );
    const { waiting } = rows[0]!;
    seen[waiting] = (seen[waiting] ?? 0) + 1;
  }
  return seen;
}

/** The sum of a metric over its labels, for each instance. */
function readMetric(name: string, labels = ""): Promise<number[]> {
  return Promise.all(
    instances.map(async ({ adminUrl }) => {
      const text = await (await fetch(`${adminUrl}/metrics`)).text();
      const lines = text
        .split("\n")
        .filter((line) => line.startsWith(name) && line.includes(labels));
      return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
    }),
  );
}

async function untilHot(): Promise<void> {
  await vi.waitUntil(
    async () => (await readMetric("instant_payment_hot_accounts")).every((hot) => hot > 0),
    { timeout: 20_000, interval: 100 },
  );
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

test("Of three processes that pay one account, at most one waits for it in PostgreSQL", async () => {
  const { result, statuses } = await underLoad({ REDIS_URL: redis.url }, async () => {
    await untilHot();
    const seen = await watchWaiting();
    const conflicts = sum(await readMetric("instant_payment_commit_conflicts_total"));
    const handedOver = await readMetric(
      "instant_payment_account_lock_seconds_count",
      "handed over",
    );
    return { seen, conflicts, handedOver };
  });
  expect(Object.keys(result.seen).filter((waiting) => Number(waiting) > 1)).toEqual([]);
  expect(result.conflicts).toBe(0);
  expect(sum(result.handedOver)).toBeGreaterThan(10);
  expect(statuses).toEqual(new Set(["SETTLED"]));
});

test("Without Redis more of them wait there, and the account is hot in each all the same", async () => {
  const { result } = await underLoad({}, async () => {
    await untilHot();
    return watchWaiting();
  });
  expect(Math.max(...Object.keys(result).map(Number))).toBe(2);
});

test("A Redis that isn't there costs nothing but a note", async () => {
  const { result, statuses } = await underLoad({ REDIS_URL: "redis://127.0.0.1:1" }, async () => {
    await untilHot();
    const ready = await fetch(`${instances[0]!.adminUrl}/readyz`);
    return { status: ready.status, body: await ready.json() };
  });
  expect(result).toMatchObject({
    status: 200,
    body: { ready: true, degraded: { redis: expect.stringMatching(/^it can't be reached: /) } },
  });
  expect(statuses).toEqual(new Set(["SETTLED"]));
});
