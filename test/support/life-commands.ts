import { randomUUID } from "node:crypto";
import * as fc from "fast-check";
import type { Pool } from "pg";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import { changesBy } from "./changes-by.ts";
import { callAs, type TestLedger, type TestPayment } from "./ledger.ts";
import type { History } from "./life-history.ts";

/** Whose the accounts are, one after the other. */
export const OWNERS = ["alice", "bob", "carol"];
/** How many accounts there are besides the bank's. */
export const ACCOUNTS = 6;

/** One thing that somebody does; numbers choose among what is there when it's done. */
export const aCommand = fc.record({
  what: fc.oneof(
    { weight: 4, arbitrary: fc.constant("pay" as const) },
    { weight: 5, arbitrary: fc.constant("hold" as const) },
    { weight: 5, arbitrary: fc.constant("pay with retries" as const) },
    { weight: 2, arbitrary: fc.constant("hold with retries" as const) },
    { weight: 8, arbitrary: fc.constant("capture" as const) },
    { weight: 4, arbitrary: fc.constant("cancel" as const) },
    { weight: 4, arbitrary: fc.constant("refund" as const) },
    { weight: 4, arbitrary: fc.constant("retry" as const) },
    { weight: 2, arbitrary: fc.constant("freeze" as const) },
    { weight: 3, arbitrary: fc.constant("top up" as const) },
    { weight: 3, arbitrary: fc.constant("let time pass" as const) },
    { weight: 3, arbitrary: fc.constant("do what is due" as const) },
    { weight: 1, arbitrary: fc.constant("send again" as const) },
  ),
  debtor: fc.nat(ACCOUNTS - 1),
  creditor: fc.nat(ACCOUNTS - 2),
  amountMinor: fc.bigInt({ min: 1n, max: 100n }),
  /** The whole that is there, instead of the amount. */
  all: fc.boolean(),
  final: fc.boolean(),
  /** Who does it: whoever may, or one of the owners. */
  owner: fc.oneof(
    { weight: 5, arbitrary: fc.constant(OWNERS.length) },
    { weight: 1, arbitrary: fc.nat(OWNERS.length - 1) },
  ),
  /** Which of the latest payments. */
  recent: fc.nat(39),
  ms: fc.integer({ min: 10, max: 20_000 }),
  ledger: fc.nat(1),
});
export type Command = typeof aCommand extends fc.Arbitrary<infer T> ? T : never;

/** What commands work on. */
export interface World {
  readonly ledgers: readonly TestLedger[];
  readonly history: History;
  readonly clock: Pool;
  readonly bank: string;
  readonly accounts: readonly { readonly id: string; readonly ownerId: string }[];
  readonly payments: PaymentRow[];
  readonly sent: (() => Promise<unknown>)[];
}

/** Does what the command says. */
export async function runCommand(world: World, command: Command): Promise<unknown> {
  const ledger = world.ledgers[command.ledger]!;
  switch (command.what) {
    case "let time pass":
      return passTime(world, command.ms >> 3);
    case "do what is due":
      return ledger.runAllDue();
    case "freeze":
      return freeze(world, ledger, command);
    case "send again":
      return world.sent[command.recent % world.sent.length]?.();
    case "capture":
    case "cancel":
    case "refund":
    case "retry":
      return change(world, ledger, command);
    default:
      return pay(world, ledger, command);
  }
}

/** Moves the clock of the database. */
export async function passTime(world: World, ms: number): Promise<void> {
  const by = `${ms} milliseconds`;
  await world.clock.query("update test_clock.shift set by = by + $1::interval", [by]);
}

async function freeze(world: World, ledger: TestLedger, command: Command): Promise<void> {
  const accountId = world.accounts[command.debtor]!.id;
  const frozen = command.final && command.all;
  const same = { version: undefined, metadata: undefined, overdraftMode: undefined };
  const status = frozen ? ("FROZEN" as const) : ("OPEN" as const);
  const update = { ...same, overdraftLimitMinor: undefined, accountId, status };
  await world.history.freeze(accountId, frozen, () =>
    ledger.updateAccount(callAs("admin"), update),
  );
}

async function pay(world: World, ledger: TestLedger, command: Command): Promise<void> {
  const { what, ms } = command;
  const debtor = world.accounts[command.debtor]!;
  const others = world.accounts.filter(({ id }) => id !== debtor.id);
  const isTopUp = what === "top up";
  const payment: TestPayment = {
    idempotencyKey: randomUUID(),
    debtorAccountId: isTopUp ? world.bank : debtor.id,
    creditorAccountId: isTopUp ? debtor.id : others[command.creditor]!.id,
    amountMinor: isTopUp ? 3n * command.amountMinor : command.amountMinor,
    holdDurationMs: what.startsWith("hold") ? Math.max(1_000, ms) : null,
    retryPolicy: what.endsWith("retries")
      ? {
          maxAttempts: 1 + (command.recent % 6),
          initialBackoffMs: 10 + (ms >> 4),
          maxBackoffMs: 10_000,
        }
      : null,
    expireTime: command.final && !isTopUp ? new Date(ledger.databaseClock.now() + 2 * ms) : null,
  };
  const call = callAs(isTopUp ? "admin" : (OWNERS[command.owner] ?? debtor.ownerId));
  const send = async () => {
    const { payment: made } = await ledger.pay(payment, call);
    world.payments.push(made);
  };
  world.sent.push(send);
  await send();
}

/** The statuses, when they were made, of the payments that a change is mostly tried on. */
const LIKELY = {
  capture: ["HELD", "PENDING"],
  cancel: ["HELD", "PENDING"],
  refund: ["SETTLED", "HELD"],
  retry: ["REJECTED", "PENDING"],
};

async function change(world: World, ledger: TestLedger, command: Command): Promise<void> {
  const what = command.what as keyof typeof LIKELY;
  const isLikely = (payment: PaymentRow) =>
    command.recent % 5 === 0 || LIKELY[what].includes(payment.status);
  const payments = world.payments.slice(-60).filter(isLikely);
  const payment = payments.at(-1 - (command.recent % Math.max(1, payments.length)));
  if (!payment) return;
  const amount = command.all ? undefined : command.amountMinor;
  const by = changesBy(ledger, OWNERS[command.owner] ?? "admin");
  const { payment: told } = await {
    capture: () => by.capture(payment, amount, command.final),
    cancel: () => by.cancel(payment),
    refund: () => by.refund(payment, amount),
    retry: () => by.retry(payment),
  }[what]();
  if (told.id !== payment.id) world.payments.push(told);
}
