import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, vi } from "vitest";
import {
  createHotAccountLock,
  type HotAccountLock,
  type LockTurn,
} from "../../src/accounts/hot-account-lock.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { createLogger } from "../../src/platform/logger.ts";
import { startRedis, type RedisService } from "./services/redis.ts";

/** The lock as one of several processes has it, and what became of its turns. */
export interface LockProcess {
  readonly lock: HotAccountLock;
  readonly outcomes: LockTurn["outcome"][];
  lost: number;
}

/** Three processes with the lock, new for each test, on a Redis of the file's own. */
export interface LockProcesses {
  readonly service: RedisService;
  readonly client: Redis;
  readonly processes: [LockProcess, LockProcess, LockProcess];
}

/** What is returned has its members once a test runs. */
export function useLockProcesses(): LockProcesses {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- filled before each test
  const used = {} as { -readonly [K in keyof LockProcesses]: LockProcesses[K] };

  beforeAll(async () => {
    used.service = await startRedis({ own: true });
    used.client = new Redis(used.service.url);
  });

  beforeEach(async () => {
    await used.client.flushall();
    const open = () => openProcess(used.service.url);
    used.processes = await Promise.all([open(), open(), open()]);
  });

  afterEach(() => {
    for (const { lock } of used.processes) lock.close();
  });

  afterAll(async () => {
    used.client?.disconnect();
    await used.service?.stop();
  });

  return used;
}

async function openProcess(redisUrl: string): Promise<LockProcess> {
  const outcomes: LockTurn["outcome"][] = [];
  const opened = {
    outcomes,
    lost: 0,
    lock: createHotAccountLock({
      redisUrl,
      clock: systemClock,
      logger: createLogger("silent"),
      observe: ({ outcome }) => outcomes.push(outcome),
      onLost: () => opened.lost++,
    }),
  };
  await vi.waitUntil(() => opened.lock.degraded === undefined);
  return opened;
}

/** Asks for a turn; `isHeld` tells whether it has come. */
export function ask(process: LockProcess, ...accountIds: string[]) {
  const asked = {
    isHeld: false,
    turn: process.lock.acquire(accountIds).then((held) => {
      asked.isHeld = true;
      return held;
    }),
  };
  return asked;
}

/** Until Redis has done what was sent to it. */
export async function settled(client: Redis): Promise<void> {
  await client.ping();
  await sleep(30);
}
