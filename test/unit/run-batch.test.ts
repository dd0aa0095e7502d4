import { describe, expect, test } from "vitest";
import { ServiceError } from "../../src/kernel/errors.ts";
import type { CommitBatch, CommitOutcome } from "../../src/ledger/commit-batch.ts";
import { runBatch } from "../../src/ledger/run-batch.ts";
import type { CommandUnit, PaymentCommand } from "../../src/payments/payment-command.ts";
import { testCommand } from "../support/commands.ts";
import { allStored, stored } from "../support/fake-commit.ts";

/** An error as PostgreSQL gives it. */
function postgresError(code: string): Error {
  return Object.assign(new Error(code), { code, severity: "ERROR" });
}

/** Runs a batch of that many commands; what each was told and the batches that were tried. */
async function run(size: number, commit: CommitBatch) {
  const commands = Array.from({ length: size }, () => testCommand());
  const units = commands.map((command) => ({ commands: [command], atomic: false }));
  const tried: PaymentCommand[][] = [];
  const told = new Map<CommandUnit, (readonly CommitOutcome[])[]>();
  await runBatch(
    async (batch) => {
      tried.push(batch.flatMap((unit) => unit.commands));
      return commit(batch);
    },
    units,
    (unit, outcomes) => told.set(unit, [...(told.get(unit) ?? []), outcomes]),
  );
  // Whatever happens, everybody is told, and once.
  expect([...told.values()].map((times) => times.length)).toEqual(units.map(() => 1));
  return { commands, tried, outcomes: units.flatMap((unit) => told.get(unit)![0]!) };
}

/** A commit that fails some times and then stores everything. */
function failing(times: number, error: Error): CommitBatch {
  let left = times;
  return (units) => (left-- > 0 ? Promise.reject(error) : Promise.resolve(allStored(units)));
}

function refusalOf(outcome: CommitOutcome | undefined): ServiceError {
  if (outcome?.kind !== "refused") throw new Error(`it's ${outcome?.kind}`);
  return outcome.error;
}

describe("A batch that the database refuses", () => {
  test("is halved until the culprit stands alone and the others are stored", async () => {
    for (const at of [0, 3, 6]) {
      const cause = postgresError("22003");
      let culprit: CommandUnit | undefined;
      const { commands, outcomes, tried } = await run(7, async (units) => {
        culprit ??= units[at];
        if (units.includes(culprit!)) throw cause;
        return allStored(units);
      });
      outcomes.forEach((outcome, i) => {
        if (i !== at) expect(outcome).toEqual(stored(commands[i]!));
      });
      expect(refusalOf(outcomes[at])).toMatchObject({ reason: "INTERNAL", cause });
      expect(tried.length).toBeLessThanOrEqual(7);
    }
  });

  test("tells each its own error when all are culprits", async () => {
    const { outcomes } = await run(5, async ([unit]) => {
      throw new Error(unit?.commands[0]?.id);
    });
    const causes = outcomes.map((outcome) => (refusalOf(outcome).cause as Error).message);
    expect(new Set(causes).size).toBe(5);
  });
});

describe("A batch that lost a race", () => {
  test.each(["IP001", "40001", "40P01", "55P03"])("by %s is run again as it was", async (code) => {
    const { outcomes, commands, tried } = await run(3, failing(5, postgresError(code)));
    expect(outcomes).toEqual(commands.map(stored));
    expect(tried).toEqual(Array.from({ length: 6 }, () => commands));
  });

  test("more than twenty times is told to come back later", async () => {
    const { outcomes, tried } = await run(2, failing(Infinity, postgresError("IP001")));
    expect(tried).toHaveLength(21);
    for (const outcome of outcomes) {
      expect(refusalOf(outcome)).toMatchObject({ reason: "UNAVAILABLE", retryAfterMs: 500 });
    }
  });
});

describe("A batch whose connection was lost", () => {
  const losses: [string, Error][] = [
    ["ECONNRESET", Object.assign(new Error("read"), { code: "ECONNRESET" })],
    ["ECONNREFUSED", Object.assign(new Error("connect"), { code: "ECONNREFUSED" })],
    ["57P01, the server shutting down,", postgresError("57P01")],
    ["a terminated connection", new Error("Connection terminated unexpectedly")],
  ];
  test.each(losses)("by %s is run again with the same keys and ids", async (_, error) => {
    const { outcomes, commands, tried } = await run(2, failing(1, error));
    expect(outcomes).toEqual(commands.map(stored));
    expect(tried).toEqual([commands, commands]);
  });

  test("for good is told that the outcome is open, never that it failed", async () => {
    const { outcomes, tried } = await run(2, failing(Infinity, losses[0]![1]));
    expect(tried).toHaveLength(5);
    for (const outcome of outcomes) {
      expect(refusalOf(outcome)).toMatchObject({ reason: "UNAVAILABLE", retryAfterMs: 500 });
    }
  });
});
