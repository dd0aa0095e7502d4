import { beforeEach, describe, expect, test } from "vitest";
import { createLane, type Lane } from "../../src/ledger/lane.ts";
import type { PaymentCommand } from "../../src/payments/payment-command.ts";
import { testCommand } from "../support/commands.ts";
import { createHeldCommit, nextTurn } from "../support/fake-commit.ts";

let held: ReturnType<typeof createHeldCommit>;
let timesIdle: number;

beforeEach(() => {
  held = createHeldCommit();
  timesIdle = 0;
});

function createWideLane(minBatchBeside = 1): Lane {
  return createLane({
    commit: held.commit,
    clock: { now: () => 0, monotonicMs: () => 0 },
    maxBatch: 10,
    width: 2,
    minBatchBeside,
    onIdle: () => timesIdle++,
  });
}

const between = (debtorAccountId: string, creditorAccountId: string) =>
  testCommand({ debtorAccountId, creditorAccountId });

/** Each in a turn of its own. */
async function push(lane: Lane, ...commands: readonly PaymentCommand[]): Promise<void> {
  for (const command of commands) {
    const { resolve, reject, promise } = Promise.withResolvers<unknown>();
    promise.catch(() => undefined);
    lane.push({ commands: [command], atomic: false, deadlineMs: Infinity, resolve, reject });
    await nextTurn();
  }
}

const begun = () => held.begun.map(({ commands }) => commands);

describe("In a lane that is two wide", () => {
  test("a transaction runs beside another, and no third", async () => {
    const lane = createWideLane();
    const commands = [between("a", "b"), between("c", "d"), between("e", "f")];
    await push(lane, ...commands);
    expect(begun()).toEqual([[commands[0]], [commands[1]]]);
    await held.begun[1]?.finish();
    expect(begun()).toEqual(commands.map((command) => [command]));
  });

  test("no two have an account in common, and each account's commands keep their order", async () => {
    const lane = createWideLane();
    const first = between("a", "b");
    const waits = between("c", "a");
    const behindIt = between("d", "c");
    const beside = between("e", "f");
    await push(lane, first, waits, behindIt, beside);
    expect(begun()).toEqual([[first], [beside]]);
    await held.begun[1]?.finish();
    expect([held.begun.length, lane.waiting]).toEqual([2, 2]);
    await held.begun[0]?.finish();
    expect(begun()).toEqual([[first], [beside], [waits, behindIt]]);
  });

  test("too few wait for the one that runs", async () => {
    const lane = createWideLane(2);
    const first = between("a", "b");
    const waits = between("g", "a");
    const beside = [between("c", "d"), between("e", "f"), between("h", "i")];
    await push(lane, first, waits, beside[0]!);
    expect([held.begun.length, lane.waiting]).toEqual([1, 2]);
    // Two could go now; they're looked for when two more have come than at the last look.
    await push(lane, beside[1]!);
    expect(begun()).toEqual([[first]]);
    await push(lane, beside[2]!);
    expect(begun()).toEqual([[first], beside]);
    await held.begun[0]?.finish();
    await held.begun[1]?.finish();
    expect(begun()).toEqual([[first], beside, [waits]]);
  });

  test("even one passes a transaction that takes its time, and so does the next", async () => {
    const lane = createWideLane(2);
    const [first, second, third] = [between("a", "b"), between("c", "d"), between("e", "f")];
    await push(lane, first, second);
    expect(held.begun).toHaveLength(1);
    await expect.poll(() => held.begun.length, { timeout: 2_000 }).toBe(2);
    await held.begun[1]?.finish();
    await push(lane, third);
    expect(begun()).toEqual([[first], [second], [third]]);
    await held.begun[0]?.finish();
    const [fourth, fifth] = [between("g", "h"), between("i", "k")];
    await held.begun[2]?.finish();
    await push(lane, fourth, fifth);
    expect(begun().slice(3)).toEqual([[fourth]]);
    await held.begun[3]?.finish();
  });

  test("it's idle when both are done", async () => {
    const lane = createWideLane();
    await push(lane, between("a", "b"), between("c", "d"));
    await held.begun[1]?.finish();
    expect([lane.isIdle, timesIdle]).toEqual([false, 0]);
    await held.begun[0]?.finish();
    expect([lane.isIdle, timesIdle]).toEqual([true, 1]);
  });
});
