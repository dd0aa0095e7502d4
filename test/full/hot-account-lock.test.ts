import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { LOCK_MS } from "../../src/accounts/hot-account-lock.ts";
import type { HeldLock } from "../../src/ledger/account-lock.ts";
import { ask, settled, useLockProcesses, type LockProcess } from "../support/lock-processes.ts";

const used = useLockProcesses();

test("A free account is had at once, under a token that ends by itself", async () => {
  const [one] = used.processes;
  const held = await one.lock.acquire(["shop"]);
  expect(held.waits.size).toBe(0);
  expect(await used.client.get("lock:account:shop")).toMatch(/^[-0-9a-f]{36}:0$/);
  expect(await used.client.pttl("lock:account:shop")).toBeGreaterThan(0);
  expect(await used.client.pttl("lock:account:shop")).toBeLessThanOrEqual(LOCK_MS);
  held.release();
  await settled(used.client);
  expect(await used.client.keys("*")).toEqual([]);
  expect([one.outcomes, one.lost]).toEqual([["free"], 0]);
});

test("It goes to those who wait in the order in which they came, each woken at once", async () => {
  const [one, two, three] = used.processes;
  const first = await one.lock.acquire(["shop"]);
  const second = ask(two, "shop");
  await settled(used.client);
  const third = ask(three, "shop");
  await settled(used.client);
  // Who has just had it comes after those who wait.
  first.release();
  const fourth = ask(one, "shop");
  const startMs = performance.now();
  const held = await second.turn;
  expect([third.isHeld, fourth.isHeld]).toEqual([false, false]);
  expect([...held.waits.keys()]).toEqual(["shop"]);
  held.release();
  (await third.turn).release();
  (await fourth.turn).release();
  // Far less than the time after which anybody would ask again.
  expect(performance.now() - startMs).toBeLessThan(LOCK_MS / 2);
  expect(two.outcomes).toEqual(["handed over"]);
  await settled(used.client);
  expect(await used.client.keys("*")).toEqual([]);
});

test("Several accounts are had together, in whatever combination others want them", async () => {
  let holders = 0;
  let turns = 0;
  async function takeTurns(process: LockProcess, accountIds: readonly string[]): Promise<void> {
    for (let i = 0; i < 50; i++) {
      const held = await process.lock.acquire(accountIds);
      // All want "b".
      expect(++holders).toBe(1);
      await sleep(1);
      holders--;
      held.release();
      turns++;
    }
  }
  const [one, two, three] = used.processes;
  await Promise.all([
    takeTurns(one, ["a", "b"]),
    takeTurns(two, ["b", "c"]),
    takeTurns(three, ["a", "b", "c"]),
  ]);
  expect(turns).toBe(150);
  const all = used.processes.flatMap(({ outcomes }) => outcomes);
  expect(all.filter((outcome) => outcome === "free" || outcome === "handed over")).toEqual(all);
});

test("A turn that takes longer than the lock lasts is renewed", async () => {
  const [one, two] = used.processes;
  const held = await one.lock.acquire(["shop"]);
  const other = ask(two, "shop");
  await sleep(LOCK_MS + 200);
  expect(other.isHeld).toBe(false);
  held.release();
  expect((await other.turn).waits.get("shop")).toBeGreaterThan(LOCK_MS);
  expect([two.outcomes, one.lost]).toEqual([["handed over"], 0]);
});

test("Who waits too long goes on without, and leaves the queue", async () => {
  const [one, two, three] = used.processes;
  const held = await one.lock.acquire(["shop"]);
  const impatient = ask(two, "shop");
  await impatient.turn;
  expect(two.outcomes).toEqual(["timed out"]);
  await settled(used.client);
  expect(await used.client.exists("lock:account:shop:queue")).toBe(0);
  const next = ask(three, "shop");
  await settled(used.client);
  held.release();
  await next.turn;
  expect(three.outcomes).toEqual(["handed over"]);
});

test("A lock isn't given back by who doesn't have it any more", async () => {
  const [one, two] = used.processes;
  const held = await one.lock.acquire(["shop"]);
  await used.client.set("lock:account:shop", "somebody else", "PX", 10_000);
  held.release();
  await settled(used.client);
  expect(await used.client.get("lock:account:shop")).toBe("somebody else");
  expect(one.lost).toBe(1);
  await used.client.del("lock:account:shop");
  await two.lock.acquire(["shop"]);
  held.release();
  await settled(used.client);
  expect(await used.client.get("lock:account:shop")).toMatch(/:0$/);
});

test("A process that has ended is passed over, and its lock ends by itself", async () => {
  const [one, two, three] = used.processes;
  const held = await one.lock.acquire(["shop"]);
  const gone = ask(two, "shop");
  await settled(used.client);
  const next = ask(three, "shop");
  await settled(used.client);
  two.lock.close();
  await settled(used.client);
  held.release();
  await next.turn;
  expect([gone.isHeld, three.outcomes]).toEqual([false, ["handed over"]]);
  const waiting = ask(one, "shop");
  await settled(used.client);
  three.lock.close();
  const { waits } = await waiting.turn;
  expect(waits.get("shop")).toBeLessThan(3 * LOCK_MS);
  expect(one.outcomes).toEqual(["free", "handed over"]);
});

test("A flushed Redis loses locks, and after a while it's a queue again", async () => {
  const [one, two] = used.processes;
  const held = await one.lock.acquire(["shop"]);
  const waiting = ask(two, "shop");
  await settled(used.client);
  await used.client.flushall();
  const startMs = performance.now();
  const next: HeldLock = await waiting.turn;
  expect(performance.now() - startMs).toBeLessThan(3 * LOCK_MS);
  expect(two.outcomes).toEqual(["handed over"]);
  held.release();
  await settled(used.client);
  expect(one.lost).toBe(1);
  const after = ask(one, "shop");
  await settled(used.client);
  expect(after.isHeld).toBe(false);
  next.release();
  await after.turn;
});

test("Who waits when Redis is killed goes on at once, and takes turns again when it's back", async () => {
  const [one, two] = used.processes;
  await one.lock.acquire(["shop"]);
  const waiting = ask(two, "shop");
  await settled(used.client);
  const startMs = performance.now();
  await used.service.kill9();
  await waiting.turn;
  await two.lock.acquire(["shop"]);
  expect(performance.now() - startMs).toBeLessThan(LOCK_MS / 2);
  expect(two.outcomes).toEqual(["degraded", "degraded"]);
  expect(two.lock.degraded).toMatch(/^it can't be reached: /);
  await used.service.restart();
  await vi.waitUntil(() => [one, two].every(({ lock }) => lock.degraded === undefined), 10_000);
  await one.lock.acquire(["shop"]);
  const other = ask(two, "shop");
  await settled(used.client);
  expect(other.isHeld).toBe(false);
});
