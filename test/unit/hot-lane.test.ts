import { randomUUID } from "node:crypto";
import { beforeEach, expect, test } from "vitest";
import type { AccountLock } from "../../src/ledger/account-lock.ts";
import { createGroupCommit, type GroupCommit } from "../../src/ledger/group-commit.ts";
import { ServiceError } from "../../src/kernel/errors.ts";
import { testCommand } from "../support/commands.ts";
import { fixedHeat } from "../support/fixed-heat.ts";
import { createHeldCommit, nextTurn } from "../support/fake-commit.ts";

/** A lock whose turns are the test's to give. */
interface HeldLocks extends AccountLock {
  readonly asked: (readonly string[])[];
  grant(): Promise<void>;
  readonly released: number;
}

let nowMs: number;
let hotAccounts: Set<string>;
let held: ReturnType<typeof createHeldCommit>;
let locks: HeldLocks;
let queue: GroupCommit;

beforeEach(() => {
  nowMs = 1_000;
  hotAccounts = new Set(["shop"]);
  held = createHeldCommit();
  locks = createHeldLocks();
  queue = createQueueOf({ maxBatch: 3 });
});

function createQueueOf({ maxBatch }: { maxBatch: number }): GroupCommit {
  return createGroupCommit({
    commit: held.commit,
    clock: { now: () => nowMs, monotonicMs: () => nowMs },
    heat: fixedHeat((id) => hotAccounts.has(id)),
    lock: locks,
    maxBatch,
    maxQueue: 10,
    lanes: 1,
  });
}

function createHeldLocks(): HeldLocks {
  const asked: (readonly string[])[] = [];
  const grants: (() => void)[] = [];
  let released = 0;
  return {
    asked,
    get released() {
      return released;
    },
    acquire(ids) {
      asked.push(ids);
      let isHeld = true;
      const release = () => {
        if (isHeld) released++;
        isHeld = false;
      };
      return new Promise((resolve) => grants.push(() => resolve({ waits: new Map(), release })));
    },
    async grant() {
      grants.shift()?.();
      await nextTurn();
    },
  };
}

async function pay(creditorAccountId: string, deadlineMs = Infinity) {
  const command = testCommand({ debtorAccountId: randomUUID(), creditorAccountId });
  const told = queue.submit(command, deadlineMs).then(
    ({ payment }) => payment.id,
    (error: ServiceError) => error.reason,
  );
  await nextTurn();
  return { command, told };
}

test("A cold payment is begun while hot ones wait for the lock", async () => {
  await pay("shop");
  const cold = await pay("friend");
  expect(held.begun.map(({ commands }) => commands)).toEqual([[cold.command]]);
  expect(locks.asked).toEqual([["shop"]]);
});

test("What comes while a batch waits for the lock goes along, up to the size of a batch", async () => {
  const paid = [];
  for (let i = 0; i < 4; i++) paid.push((await pay("shop")).command);
  expect(held.begun).toEqual([]);
  await locks.grant();
  expect(held.begun[0]?.commands).toEqual(paid.slice(0, 3));
  expect(queue.waiting).toBe(1);
});

test("The lock goes to the next as soon as the accounts are locked, not after the commit", async () => {
  await pay("shop");
  await locks.grant();
  expect(locks.released).toBe(0);
  held.begun[0]?.lock();
  expect(locks.released).toBe(1);
  await held.begun[0]?.finish();
  expect(locks.released).toBe(1);
});

test("It's given back after a transaction that locked nothing, too", async () => {
  await pay("shop");
  await locks.grant();
  await held.begun[0]?.finish();
  expect(locks.released).toBe(1);
});

test("It's given back if nobody who waited has time left", async () => {
  const late = await pay("shop", nowMs + 10);
  nowMs += 20;
  await locks.grant();
  expect([await late.told, held.begun.length, locks.released]).toEqual(["DEADLINE_EXCEEDED", 0, 1]);
});

test("A batch asks for all of its hot accounts in id order, each once", async () => {
  hotAccounts = new Set(["zoo", "shop"]);
  void queue.submitAtomic(
    ["zoo", "shop", "zoo"].map((creditorAccountId) => testCommand({ creditorAccountId })),
    Infinity,
  );
  await nextTurn();
  expect(locks.asked).toEqual([["shop", "zoo"]]);
});

test("A payment whose hot account the batch has no lock on waits for the next one", async () => {
  hotAccounts = new Set(["zoo", "shop"]);
  const first = await pay("shop");
  const other = await pay("zoo");
  const second = await pay("shop");
  await locks.grant();
  expect(held.begun[0]?.commands).toEqual([first.command, second.command]);
  await held.begun[0]?.finish();
  expect(locks.asked).toEqual([["shop"], ["zoo"]]);
  await locks.grant();
  expect(held.begun[1]?.commands).toEqual([other.command]);
});

test("What has become cold while it waited needs no lock any more", async () => {
  await pay("shop");
  const next = await pay("shop");
  void next;
  await locks.grant();
  const last = await pay("shop");
  hotAccounts.clear();
  await held.begun[0]?.finish();
  expect(held.begun[1]?.commands).toEqual([last.command]);
  expect(locks.asked).toHaveLength(1);
});

test("Of commands that come together those that share accounts keep their order, hot or not", async () => {
  const between = (debtorAccountId: string, creditorAccountId: string) =>
    testCommand({ debtorAccountId, creditorAccountId });
  const before = between("x", "a");
  const hot = between("a", "shop");
  const behind = between("shop", "y");
  const further = between("y", "z");
  const apart = between("c", "d");
  queue = createQueueOf({ maxBatch: 10 });
  const told = queue.submitEach([before, hot, apart, behind, further], Infinity);
  await nextTurn();
  expect(held.begun.map(({ commands }) => commands)).toEqual([[apart]]);
  await locks.grant();
  expect(held.begun.at(-1)?.commands).toEqual([before, hot, behind, further]);
  for (const begun of held.begun) await begun.finish();
  expect((await Promise.all(told)).map(({ payment }) => payment.id)).toEqual(
    [before, hot, apart, behind, further].map(({ id }) => id),
  );
});

test("Who needs a hot account whose turn hasn't come lets nobody pass on the accounts that it needs", async () => {
  const between = (debtorAccountId: string, creditorAccountId: string) =>
    testCommand({ debtorAccountId, creditorAccountId });
  hotAccounts.add("bank");
  await pay("shop");
  const waits = between("a", "bank");
  const behind = between("shop", "a");
  void queue.submit(waits, Infinity);
  void queue.submit(behind, Infinity);
  await nextTurn();
  await locks.grant();
  expect(held.begun[0]?.commands).not.toContain(behind);
  await held.begun[0]?.finish();
  await locks.grant();
  expect(held.begun[1]?.commands).toEqual([waits, behind]);
});

test("Draining waits for both lanes", async () => {
  const hot = await pay("shop");
  const cold = await pay("friend");
  let isDrained = false;
  const drained = queue.drain().then(() => (isDrained = true));
  await held.begun[0]?.finish();
  expect([await cold.told, isDrained]).toEqual([cold.command.id, false]);
  await locks.grant();
  await held.begun[1]?.finish();
  expect(await hot.told).toBe(hot.command.id);
  await drained;
});

test("Both lanes together are bounded by the queue's size", async () => {
  for (let i = 0; i < 10; i++) await pay("shop");
  expect(await (await pay("shop")).told).toBe("OVERLOADED");
  expect(await (await pay("friend")).told).toBe("OVERLOADED");
});
