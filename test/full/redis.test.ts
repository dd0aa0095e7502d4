import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startRedis, type RedisService } from "../support/services/redis.ts";

let redis: RedisService;
let client: Redis;

beforeAll(async () => {
  redis = await startRedis({ own: true });
  client = new Redis(redis.url, {
    maxRetriesPerRequest: null,
    retryStrategy: () => 20,
    commandTimeout: 5_000,
  });
  client.on("error", () => undefined);
});

afterAll(async () => {
  client?.disconnect();
  await redis?.stop();
});

test("Redis locks by SET NX PX, and unlocks by a script only who holds the lock", async () => {
  const unlock = "return redis.call('get', KEYS[1]) == ARGV[1] and redis.call('del', KEYS[1]) or 0";
  expect(await client.set("lock", "me", "PX", 60_000, "NX")).toBe("OK");
  expect(await client.set("lock", "you", "PX", 60_000, "NX")).toBeNull();
  expect(await client.eval(unlock, 1, "lock", "you")).toBe(0);
  expect(await client.eval(unlock, 1, "lock", "me")).toBe(1);
});

test("A paused Redis answers nothing, and what it was asked once it goes on", async () => {
  await redis.pause();
  const answer = client.ping();
  const first = await Promise.race([answer, new Promise((done) => setTimeout(done, 300, "none"))]);
  expect(first).toBe("none");
  await redis.resume();
  expect(await answer).toBe("PONG");
});

test("A killed Redis comes back on the same port, without what it held", async () => {
  await client.set("kept", "in memory");
  await redis.kill9();
  await expect(redis.restart()).resolves.toBeUndefined();
  expect(await client.get("kept")).toBeNull();
});
