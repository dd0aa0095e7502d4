import { beforeEach, describe, expect, test } from "vitest";
import { ServiceError } from "../../src/kernel/errors.ts";
import { processLock } from "../../src/ledger/account-lock.ts";
import { createGroupCommit, type GroupCommit } from "../../src/ledger/group-commit.ts";
import { createHeat } from "../../src/ledger/heat.ts";
import type { PaymentCommand } from "../../src/payments/payment-command.ts";
import { testCommand } from "../support/commands.ts";
import { createHeldCommit, nextTurn, stored } from "../support/fake-commit.ts";

let nowMs: number;
let held: ReturnType<typeof createHeldCommit>;
let sizes: number[];

beforeEach(() => {
  nowMs = 1_000;
  held = createHeldCommit();
  sizes = [];
});

function createQueue(bounds: { maxBatch?: number; maxQueue?: number } = {}) {
  const clock = { now: () => nowMs, monotonicMs: () => nowMs };
  return createGroupCommit({
    commit: held.commit,
    clock,
    heat: createHeat(clock),
    lock: processLock,
    maxBatch: 10,
    maxQueue: 10,
    lanes: 1,
    observe: ({ commands }) => sizes.push(commands.length),
    ...bounds,
  });
}

/** Submits and notes what becomes of it: the payment's id, or the reason of the refusal. */
function submit(queue: GroupCommit, command = testCommand(), deadlineMs = Infinity) {
  const told = queue.submit(command, deadlineMs).then(
    ({ payment }) => payment.id,
    (error: ServiceError) => error.reason,
  );
  return { command, told };
}

/** Submits as many, and returns their commands once none of them can wait for a turn. */
async function submitMany(queue: GroupCommit, count: number): Promise<PaymentCommand[]> {
  const commands = Array.from({ length: count }, () => submit(queue).command);
  await nextTurn();
  return commands;
}

/** As many commands that go together, and what each of them is told. */
function submitTogether(queue: GroupCommit, count: number) {
  const commands = Array.from({ length: count }, () => testCommand());
  return { commands, told: queue.submitAtomic(commands, Infinity) };
}

describe("A batch", () => {
  test("is begun at once for a lone payment", async () => {
    const queue = createQueue();
    const { command, told } = submit(queue);
    await nextTurn();
    expect(held.begun.map((one) => one.commands)).toEqual([[command]]);
    await held.begun[0]?.finish();
    expect(await told).toBe(command.id);
    expect(sizes).toEqual([1]);
  });

  test("takes in whatever came in the same turn", async () => {
    const commands = await submitMany(createQueue(), 3);
    expect(held.begun.map((one) => one.commands)).toEqual([commands]);
  });

  test("takes in, in order, all that came while the one before it was committing", async () => {
    const queue = createQueue();
    await submitMany(queue, 1);
    const waiting = [...(await submitMany(queue, 2)), ...(await submitMany(queue, 1))];
    expect([held.begun.length, queue.waiting]).toEqual([1, 3]);
    await held.begun[0]?.finish();
    expect(held.begun[1]?.commands).toEqual(waiting);
    expect(queue.waiting).toBe(0);
  });

  test("has a bound, above which the rest waits for the next", async () => {
    await submitMany(createQueue({ maxBatch: 2 }), 5);
    for (let i = 0; i < 3; i++) await held.begun[i]?.finish();
    expect(sizes).toEqual([2, 2, 1]);
  });
});

describe("A full queue", () => {
  test("refuses one more with the time to wait, and takes it when there is room again", async () => {
    const queue = createQueue({ maxQueue: 2 });
    await submitMany(queue, 1);
    await submitMany(queue, 2);
    const refusal = queue.submit(testCommand(), Infinity);
    await expect(refusal).rejects.toMatchObject({
      reason: "OVERLOADED",
      retryAfterMs: expect.any(Number) as unknown,
    });
    await held.begun[0]?.finish();
    await submitMany(queue, 1);
    expect(queue.waiting).toBe(1);
  });
});

describe("A deadline", () => {
  test("that passes in the queue keeps the payment from being begun, and it alone", async () => {
    const queue = createQueue();
    await submitMany(queue, 1);
    const late = submit(queue, testCommand(), nowMs + 50);
    const patient = submit(queue, testCommand(), nowMs + 51);
    nowMs += 50;
    await held.begun[0]?.finish();
    expect(await late.told).toBe("DEADLINE_EXCEEDED");
    expect(held.begun[1]?.commands).toEqual([patient.command]);
  });

  test("that has passed for all who wait begins no transaction, and the queue goes on", async () => {
    const queue = createQueue();
    const { told } = submit(queue, testCommand(), nowMs);
    await nextTurn();
    expect([await told, held.begun.length]).toEqual(["DEADLINE_EXCEEDED", 0]);
    await submitMany(queue, 1);
    expect(held.begun.length).toBe(1);
  });

  test("that passes during the commit changes nothing", async () => {
    const { command, told } = submit(createQueue(), testCommand(), nowMs + 50);
    await nextTurn();
    nowMs += 100;
    await held.begun[0]?.finish();
    expect(await told).toBe(command.id);
  });
});

describe("An outcome", () => {
  test("goes to the command it belongs to", async () => {
    const queue = createQueue();
    const [one, two] = [submit(queue), submit(queue)];
    await nextTurn();
    const error = new ServiceError("ACCOUNT_NOT_FOUND");
    await held.begun[0]?.finish([[{ kind: "refused", error }], [stored(two.command)]]);
    expect(await one.told).toBe("ACCOUNT_NOT_FOUND");
    expect(await two.told).toBe(two.command.id);
  });

  test("of `again` puts the command into the next batch", async () => {
    const { command, told } = submit(createQueue());
    await nextTurn();
    await held.begun[0]?.finish([[{ kind: "again" }]]);
    expect(held.begun[1]?.commands).toEqual([command]);
    await held.begun[1]?.finish();
    expect(await told).toBe(command.id);
  });
});

describe("An atomic batch", () => {
  test("goes into one transaction as a whole, even above the bound of a batch", async () => {
    const queue = createQueue({ maxBatch: 4 });
    await submitMany(queue, 1);
    await submitMany(queue, 1);
    const { commands, told } = submitTogether(queue, 5);
    for (let i = 0; i < 3; i++) await held.begun[i]?.finish();
    expect(held.begun[2]?.units).toMatchObject([{ commands, atomic: true }]);
    expect(await told).toEqual(commands.map(stored));
    expect(sizes).toEqual([1, 1, 5]);
  });

  test("goes as a whole into the next batch if one of it has to be run again", async () => {
    const { commands, told } = submitTogether(createQueue(), 2);
    await nextTurn();
    await held.begun[0]?.finish([[stored(commands[0]!), { kind: "again" }]]);
    expect(held.begun[1]?.commands).toEqual(commands);
    await held.begun[1]?.finish();
    expect(await told).toEqual(commands.map(stored));
  });

  test("counts with each of its payments in the queue", async () => {
    const queue = createQueue({ maxQueue: 4 });
    await submitMany(queue, 1);
    void submitTogether(queue, 3);
    await expect(submitTogether(queue, 2).told).rejects.toMatchObject({ reason: "OVERLOADED" });
    await submitMany(queue, 1);
    expect(queue.waiting).toBe(4);
  });
});

describe("Draining", () => {
  test("refuses what comes and waits for all that is in, however often it's asked", async () => {
    const queue = createQueue({ maxBatch: 1 });
    const told = [submit(queue).told, submit(queue).told];
    await nextTurn();
    let drained = 0;
    const drains = [1, 2].map(() => queue.drain().then(() => drained++));
    expect(await submit(queue).told).toBe("UNAVAILABLE");
    await held.begun[0]?.finish();
    expect(drained).toBe(0);
    await held.begun[1]?.finish();
    await Promise.all([...told, ...drains]);
    expect(drained).toBe(2);
  });

  test("an idle queue is done at once", async () => {
    await expect(createQueue().drain()).resolves.toBeUndefined();
  });

  test("ends when the last who waited ran out of time", async () => {
    const queue = createQueue();
    const { told } = submit(queue, testCommand(), nowMs);
    await queue.drain();
    expect(await told).toBe("DEADLINE_EXCEEDED");
  });
});
