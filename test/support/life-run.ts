import * as fc from "fast-check";
import { Pool } from "pg";
import { expect } from "vitest";
import { ServiceError } from "../../src/kernel/errors.ts";
import { PaymentEntity } from "../../src/payments/payment.entity.ts";
import { ensurePartitions } from "../../src/scheduler/partitions.ts";
import { expectInvariants } from "./invariants.ts";
import {
  aCommand,
  ACCOUNTS,
  OWNERS,
  passTime,
  runCommand,
  type Command,
  type World,
} from "./life-commands.ts";
import { createHistory } from "./life-history.ts";
import { createMigratedDatabase, openLedger } from "./ledger.ts";
import { textOf } from "./model-payment.ts";
import { PaymentModel } from "./payment-model.ts";
import { installTestClock } from "./test-clock.ts";

const WORKERS = 16;

/**
 * Runs random commands by 16 workers through two ledgers on one database whose clock they move, and
 * holds everything that the ledgers did against the model, in the order in which they did it. In
 * the end the whole database must be as the model says. The seed is in the error. Returns how often each
 * kind of command came to what, as `capture SETTLED` and `capture PAYMENT_EXPIRED`.
 */
export async function expectLifeAsModelled(
  commands: number,
  rounds: number,
): Promise<ReadonlyMap<string, number>> {
  const database = await createMigratedDatabase();
  await installTestClock(database.url);
  const seen = new Map<string, number>();
  const size = Math.ceil(commands / rounds);
  const aRound = fc.array(aCommand, { minLength: size, maxLength: size });
  try {
    await fc.assert(
      fc.asyncProperty(aRound, (round) => runRound(database.url, round, seen)),
      // A database isn't taken back, so there is no shrinking, and a thousand commands aren't shown.
      { numRuns: rounds, endOnFailure: true, reporter: failWithSeed },
    );
    await expectInvariants(database.url);
  } finally {
    await database.drop();
  }
  return seen;
}

type Details = fc.RunDetails<[Command[]]>;

function failWithSeed({ failed, seed, counterexamplePath, errorInstance }: Details): void {
  if (!failed) return;
  throw new Error(`with the seed ${seed}, path ${counterexamplePath}`, { cause: errorInstance });
}

async function runRound(
  url: string,
  commands: readonly Command[],
  seen: Map<string, number>,
): Promise<void> {
  const history = createHistory();
  const open = () =>
    openLedger(url, { lanes: 2, databaseClock: history.clock(), watchCommit: history.watchCommit });
  const ledgers = [await open(), await open()];
  const clock = new Pool({ connectionString: url, max: 1 });
  try {
    const model = new PaymentModel();
    const bank = await ledgers[0]!.open({ ownerId: "bank", overdraftMode: "UNBOUNDED" });
    model.open(bank);
    const accounts = [];
    for (let i = 0; i < ACCOUNTS; i++) {
      const account = await ledgers[0]!.open({ ownerId: OWNERS[i % OWNERS.length]! });
      model.open(account);
      accounts.push(account);
    }
    const world: World = {
      ledgers,
      history,
      clock,
      bank: bank.id,
      accounts,
      payments: [],
      sent: [],
    };
    await work(world, commands);
    await endAll(world);
    await expectAsModelled(world, model, seen);
    expect((await ledgers[0]!.verify()).findings).toEqual([]);
  } finally {
    await Promise.all(ledgers.map((ledger) => ledger.close()));
    await clock.end();
  }
}

async function work(world: World, commands: readonly Command[]): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let command = commands[next++]; command; command = commands[next++]) {
      await tolerate(runCommand(world, command));
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, worker));
}

/** A refusal is an outcome; what it should have been, the model tells. */
async function tolerate(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!(error instanceof ServiceError) || error.reason === "INTERNAL") throw error;
  });
}

/** Lets two days pass, with what is due in them, so that everything ends. */
async function endAll(world: World): Promise<void> {
  await passTime(world, 2 * 86_400_000);
  const ledger = world.ledgers[0]!;
  await ensurePartitions(ledger.database);
  const isOpen = { status: { $in: ["PENDING" as const, "HELD" as const] } };
  while ((await ledger.orm.em.fork().count(PaymentEntity, isOpen)) > 0) {
    if ((await ledger.runAllDue()) === 0) await passTime(world, 1_000);
  }
}

async function expectAsModelled(
  world: World,
  model: PaymentModel,
  seen: Map<string, number>,
): Promise<void> {
  for (const step of world.history.steps()) {
    if (step.kind === "freeze") {
      model.setFrozen(step.accountId, step.frozen, step.nowMs);
      continue;
    }
    for (const { command, outcome } of step.done) {
      if (outcome.kind === "again") continue;
      const told = outcome.kind === "stored" ? outcome.payment : undefined;
      const expected = model.run(command, step.nowMs, told);
      const actual =
        outcome.kind === "stored"
          ? { payment: textOf(outcome.payment), id: outcome.payment.id }
          : { reason: outcome.error.reason };
      expect({ command, ...actual }).toEqual({ command, ...expected });
      const what = `${command.kind} ${told?.status ?? Object.values(actual)[0]}`;
      seen.set(what, (seen.get(what) ?? 0) + 1);
    }
  }
  const em = world.ledgers[0]!.orm.em.fork();
  const ids = [...model.payments.keys()];
  const stored = await em.find(PaymentEntity, { id: { $in: ids } });
  expect(new Map(stored.map((row) => [row.id, textOf(row)]))).toEqual(
    new Map([...model.payments].map(([id, payment]) => [id, textOf(payment)])),
  );
  for (const [id, { postedMinor, heldMinor, frozen }] of model.accounts) {
    const status = frozen ? "FROZEN" : "OPEN";
    expect(await world.ledgers[0]!.account(id)).toMatchObject({ postedMinor, heldMinor, status });
  }
}
