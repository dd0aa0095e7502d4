import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { ask, settled, useLockProcesses } from "../support/lock-processes.ts";

const used = useLockProcesses();

test("Who keeps a lock for too long, being cut off from PostgreSQL, gives it back", async () => {
  const [one, two] = used.processes;
  const held = await one.lock.acquire(["shop"]);
  const late = ask(two, "shop");
  await late.turn;
  expect(two.outcomes).toEqual(["timed out"]);
  await vi.waitUntil(async () => (await used.client.get("lock:account:shop")) === null, 3 * 3_000);
  await two.lock.acquire(["shop"]);
  expect(two.outcomes).toEqual(["timed out", "free"]);
  held.release();
  await settled(used.client);
  expect(one.lost).toBe(0);
  expect(await used.client.get("lock:account:shop")).not.toBeNull();
});

test("A lock without an end, set by somebody else, gets one", async () => {
  const [one] = used.processes;
  await used.client.set("lock:account:shop", "by hand");
  await one.lock.acquire(["shop"]);
  expect(one.outcomes).toEqual(["handed over"]);
});

test("A key of another type spoils the turns of its account alone", async () => {
  const [one] = used.processes;
  await used.client.hset("lock:account:shop", "a", "b");
  await one.lock.acquire(["shop"]);
  await one.lock.acquire(["bakery"]);
  expect(one.outcomes).toEqual(["timed out", "free"]);
  expect(one.lock.degraded).toBeUndefined();
});

test("A Redis that refuses to write stays degraded until it writes again", async () => {
  const [one] = used.processes;
  await used.client.config("SET", "maxmemory", "1");
  await vi.waitUntil(() => one.lock.degraded?.includes("OOM"), 3_000);
  const seen = new Set<string>();
  for (let i = 0; i < 20; i++) {
    seen.add(one.lock.degraded?.slice(0, 3) ?? "used");
    await sleep(50);
  }
  expect([...seen]).toEqual(["OOM"]);
  await used.client.config("SET", "maxmemory", "0");
  await vi.waitUntil(() => one.lock.degraded === undefined, 3_000);
});
