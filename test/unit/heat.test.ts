import { beforeEach, expect, test } from "vitest";
import { createHeat, type Heat } from "../../src/ledger/heat.ts";
import type { CommandUnit } from "../../src/payments/payment-command.ts";
import { testCommand } from "../support/commands.ts";

let nowMs: number;
let heat: Heat;

beforeEach(() => {
  nowMs = 1_000;
  heat = createHeat({ now: () => nowMs, monotonicMs: () => nowMs });
});

/** A batch in which each of the accounts is paid once. */
function batchTo(...creditorAccountIds: string[]): CommandUnit[] {
  return creditorAccountIds.map((creditorAccountId) => ({
    commands: [testCommand({ creditorAccountId })],
    atomic: false,
  }));
}

/** Batches of 20 ms each that begin with a wait for an account, for so many seconds. */
function runFor(seconds: number, batch: readonly CommandUnit[], waits: Record<string, number>) {
  for (const endMs = nowMs + seconds * 1000; nowMs < endMs; nowMs += 20) {
    heat.observe(batch, new Map(Object.entries(waits)));
  }
}

test("An account that batches wait for becomes hot, and cold again when they don't", () => {
  const batch = batchTo("shop", "shop");
  expect(heat.isHot("shop")).toBe(false);
  runFor(1, batch, { shop: 10 });
  expect([heat.isHot("shop"), heat.hotAccounts]).toEqual([true, 1]);
  nowMs += 20_000;
  expect([heat.isHot("shop"), heat.hotAccounts]).toEqual([false, 0]);
});

test("A wait now and then makes nothing hot, however long the process runs", () => {
  for (let i = 0; i < 1_000; i++) {
    heat.observe(batchTo("shop"), new Map([["shop", 10]]));
    nowMs += 500;
    expect(heat.isHot("shop")).toBe(false);
  }
});

test("What is hot stays so until it's clearly cold: it doesn't flicker", () => {
  runFor(5, batchTo("shop"), { shop: 3 });
  expect(heat.isHot("shop")).toBe(true);
  runFor(10, batchTo("shop"), { shop: 1 });
  expect(heat.isHot("shop")).toBe(true);
  runFor(10, batchTo("shop"), {});
  expect(heat.isHot("shop")).toBe(false);
  // The same waits that kept it hot don't make it so.
  runFor(10, batchTo("shop"), { shop: 1 });
  expect(heat.isHot("shop")).toBe(false);
});

test("An account that one payment of many needs isn't to blame for the batch's wait", () => {
  const others = Array.from({ length: 63 }, (_, i) => `other ${i}`);
  runFor(5, batchTo("passer-by", ...others), { "passer-by": 10 });
  expect(heat.hotAccounts).toBe(0);
});

test("Lost races make the accounts hot that all of the batch needs", () => {
  for (let i = 0; i < 20; i++) {
    heat.observeConflict(batchTo("shop"), 20);
    nowMs += 20;
  }
  expect(heat.isHot("shop")).toBe(true);
});

test("A clock that jumps keeps nothing hot for long", () => {
  heat.observe(batchTo("shop"), new Map([["shop", 1e12]]));
  expect(heat.isHot("shop")).toBe(true);
  nowMs += 10_000;
  expect(heat.isHot("shop")).toBe(false);
});

test("However many accounts are waited for, only so many are hot and kept in mind", () => {
  for (let i = 0; i < 5_000; i++) {
    heat.observe(batchTo(`account ${i}`), new Map([[`account ${i}`, 1_000]]));
  }
  expect(heat.hotAccounts).toBe(32);
});
