// Redis is harmed in every way while payments go on: 5 times each, or as often as DRILLS says.
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createHotAccountLock, type LockTurn } from "../../src/accounts/hot-account-lock.ts";
import { RELEASE } from "../../src/accounts/hot-account-scripts.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { uuidv7 } from "../../src/kernel/ids.ts";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import { createLogger } from "../../src/platform/logger.ts";
import { fixedHeat } from "../support/fixed-heat.ts";
import { expectInvariants, expectStored } from "../support/invariants.ts";
import { createMigratedDatabase, openLedger, type TestLedger } from "../support/ledger.ts";
import type { TestDatabase } from "../support/postgres.ts";
import { groupLives, run } from "../support/service-process.ts";
import { startRedis, type RedisService } from "../support/services/redis.ts";
import { openSlowProxy, type SlowProxy } from "../support/slow-proxy.ts";

const DRILLS = Number(process.env["DRILLS"] ?? 5);
const CALLERS = 18;
/** Of the account that every payment goes to. */
const SHOP = uuidv7(Date.now());

vi.setConfig({ testTimeout: 30_000 });

type Process = Awaited<ReturnType<typeof openProcess>>;

let database: TestDatabase;
let redis: RedisService;
let client: Redis;
let proxy: SlowProxy;
let processes: Process[];
let payers: string[];
let load: Promise<void[]>;
const over = new AbortController();
const paid: PaymentRow[] = [];
const refusals: unknown[] = [];

beforeAll(async () => {
  [database, redis] = await Promise.all([createMigratedDatabase(), startRedis({ own: true })]);
  client = new Redis(redis.url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  client.on("error", () => undefined);
  proxy = await openSlowProxy(redis.url);
  processes = await Promise.all([1, 2, 3].map(openProcess));
  const { ledger } = processes[0]!;
  await ledger.open({ id: SHOP });
  payers = [];
  for (let i = 0; i < 40; i++) payers.push((await ledger.openFunded(1_000_000_000n)).id);
  load = Promise.all(Array.from({ length: CALLERS }, (_, i) => keepPaying(i)));
}, 120_000);

afterAll(async () => {
  over.abort();
  await load;
  for (const { ledger, lock } of processes) {
    await ledger.close();
    lock.close();
  }
  client.disconnect();
  await proxy.close();
  await redis.stop();
  expect(refusals).toEqual([]);
  expect(paid.filter(({ status }) => status !== "SETTLED")).toEqual([]);
  await expectStored(database.url, paid);
  await expectInvariants(database.url);
  await database.drop();
}, 120_000);

/** Ledger and lock as one process of three has them, with its Redis behind the proxy. */
async function openProcess() {
  const turns: Record<LockTurn["outcome"], number> = {
    free: 0,
    "handed over": 0,
    "timed out": 0,
    degraded: 0,
  };
  const counts = { turns, lost: 0 };
  const lock = createHotAccountLock({
    redisUrl: proxy.url,
    clock: systemClock,
    logger: createLogger("silent"),
    observe: ({ outcome }) => turns[outcome]++,
    onLost: () => counts.lost++,
  });
  const heat = fixedHeat((id) => id === SHOP);
  const ledger: TestLedger = await openLedger(database.url, { heat, lock });
  return { ledger, lock, counts };
}

async function keepPaying(caller: number): Promise<void> {
  const { ledger } = processes[caller % processes.length]!;
  while (!over.signal.aborted) {
    const debtorAccountId = payers[randomInt(payers.length)]!;
    const amountMinor = BigInt(randomInt(1, 100));
    try {
      const request = { debtorAccountId, creditorAccountId: SHOP, amountMinor };
      paid.push((await ledger.pay(request)).payment);
    } catch (error) {
      refusals.push(error);
    }
  }
}

/** Until each process has had a few more turns, and the lock has been handed over some times. */
async function untilTurnsAreTaken(): Promise<void> {
  const turnsOf = ({ counts }: Process) => counts.turns.free + counts.turns["handed over"];
  const handedOver = () =>
    processes.reduce((sum, { counts }) => sum + counts.turns["handed over"], 0);
  const [turns, hands] = [processes.map(turnsOf), handedOver()];
  await vi.waitUntil(
    () => processes.every((one, i) => turnsOf(one) > turns[i]! + 2) && handedOver() > hands + 2,
    { timeout: 5_000, interval: 10 },
  );
}

/** Until so many more payments are made, which takes a fraction of a second if none has to wait. */
async function untilPaid(more: number): Promise<void> {
  const wanted = paid.length + more;
  await vi.waitUntil(() => paid.length >= wanted, { timeout: 5_000, interval: 5 });
}

/** Harms the lock while it works, expects payments to go on, and the lock to work again after. */
async function drill(harm: () => Promise<unknown>, mend: () => Promise<unknown>): Promise<void> {
  await untilTurnsAreTaken();
  await sleep(randomInt(20));
  await harm();
  await untilPaid(CALLERS * 5);
  await mend();
  await untilTurnsAreTaken();
  for (const { lock } of processes) expect(lock.degraded).toBeUndefined();
}

/** Until all processes do without Redis. */
async function untilDegraded(): Promise<void> {
  await vi.waitUntil(() => processes.every(({ lock }) => lock.degraded !== undefined), 5_000);
}

const none = async () => undefined;

describe.each(Array.from({ length: DRILLS }, (_, i) => i + 1))("Drill %i", () => {
  test("Redis is killed, and comes back after a while", async () => {
    await drill(
      () => redis.kill9(),
      () => redis.restart(),
    );
  });

  test("Redis is restarted", async () => {
    await drill(async () => {
      await redis.kill9();
      await redis.restart();
    }, none);
  });

  test("Redis is paused", async () => {
    await drill(
      () => redis.pause(),
      () => redis.resume(),
    );
  });

  test("Redis is flushed", async () => {
    await drill(() => client.flushall(), none);
  });

  test("Redis answers 200 ms late", async () => {
    await drill(
      async () => proxy.delay(200),
      async () => {
        await untilDegraded();
        await untilPaid(CALLERS * 5);
        proxy.delay(0);
      },
    );
  });

  test("Redis is cut off, though connections stay open", async () => {
    await drill(
      async () => proxy.delay(Infinity),
      async () => {
        await untilDegraded();
        proxy.delay(0);
      },
    );
  });

  test("a holder is paused for longer than its lock lasts, and then gives it back", async () => {
    const holder = run([process.execPath, "test/support/lock-holder.ts", redis.url, SHOP], {});
    try {
      await drill(
        async () => {
          await holder.printed("held");
          holder.signal("SIGSTOP");
        },
        async () => {
          holder.signal("SIGCONT");
          holder.signal("SIGUSR2");
          expect((await holder.ended).stdout).toBe("held\nlost 1\n");
        },
      );
    } finally {
      if (groupLives(holder.pid)) holder.killHard();
    }
  });

  test("others try to give the lock back", async () => {
    const lost = processes.map(({ counts }) => counts.lost);
    const lock = `lock:account:${SHOP}`;
    await drill(async () => {
      for (let i = 0; i < 100; i++) {
        const held = await client.eval(RELEASE, 2, lock, `${lock}:queue`, "other:1", 1_000);
        expect(held).toBe(0);
      }
    }, none);
    expect(processes.map(({ counts }) => counts.lost)).toEqual(lost);
  });
});
