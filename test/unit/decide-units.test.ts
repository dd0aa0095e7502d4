import { describe, expect, test } from "vitest";
import type { CommitOutcome } from "../../src/ledger/commit-batch.ts";
import { decideUnits, type Outcomes } from "../../src/ledger/decide-units.ts";
import { startPosting } from "../../src/ledger/posting.ts";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import type { PaymentCommand } from "../../src/payments/payment-command.ts";
import { TEST_TIME_MS, testAccount, testCommand } from "../support/commands.ts";

const NOW = new Date(TEST_TIME_MS);

/** alice's account with 1,000 and bob's empty one. */
function twoAccounts() {
  const [alice, bob] = [testAccount({ postedMinor: 1_000n }), testAccount({ ownerId: "bob" })];
  const pay = (amountMinor: bigint) =>
    testCommand({ debtorAccountId: alice.id, creditorAccountId: bob.id, amountMinor });
  return { posting: startPosting([alice, bob]), alice, bob, pay };
}

/** Decides units of commands that all took their keys, but for those given as taken before. */
function decide(
  posting: ReturnType<typeof startPosting>,
  units: { commands: PaymentCommand[]; atomic: boolean }[],
  replays: Outcomes = new Map(),
): string[][] {
  const outcomes: Outcomes = new Map(replays);
  const commands = units.flatMap((unit) => unit.commands);
  const fresh = commands.map((command) => command.id).filter((id) => !replays.has(id));
  decideUnits(units, posting, NOW, new Set(fresh), outcomes);
  return units.map((unit) => unit.commands.map((one) => textOf(outcomes.get(one.id))));
}

function textOf(outcome: CommitOutcome | undefined): string {
  if (outcome?.kind === "stored") return outcome.payment.status;
  if (outcome?.kind !== "refused") return outcome?.kind ?? "none";
  return outcome.error.metadata["payment_reason"] ?? outcome.error.reason;
}

/** A payment of an earlier request with the same key. */
function replayOf(command: PaymentCommand, status: PaymentRow["status"]): Outcomes {
  const reason = status === "REJECTED" ? ("INSUFFICIENT_FUNDS" as const) : null;
  const payment = { id: "earlier", status, reason, reasonDetail: reason } as PaymentRow;
  return new Map([
    [command.id, { kind: "stored", payment, asDebtor: true, asCreditor: false, replayed: true }],
  ]);
}

describe("An atomic batch", () => {
  test("settles as a whole, each payment after the ones before it", () => {
    const { posting, alice, bob, pay } = twoAccounts();
    const back = testCommand(
      { debtorAccountId: bob.id, creditorAccountId: alice.id, amountMinor: 900n },
      { isAdmin: true },
    );
    const unit = { commands: [pay(900n), back, pay(1_000n)], atomic: true };
    expect(decide(posting, [unit])).toEqual([["SETTLED", "SETTLED", "SETTLED"]]);
    expect(posting.accounts.get(bob.id)?.postedMinor).toBe(1_000n);
    expect(posting.payments).toHaveLength(3);
  });

  test("that has a decline or a refusal leaves nothing, and says whose fault it is", () => {
    const { posting, alice, pay } = twoAccounts();
    const stranger = { ...pay(1n), ownerId: "mallory" };
    const unit = { commands: [pay(600n), pay(600n), stranger, pay(1n)], atomic: true };
    expect(decide(posting, [unit])).toEqual([
      ["BATCH_NOT_APPLIED", "INSUFFICIENT_FUNDS", "ACCOUNT_NOT_FOUND", "BATCH_NOT_APPLIED"],
    ]);
    expect(posting).toMatchObject({ payments: [], entries: [], changes: [] });
    expect([posting.touched.size, posting.accounts.get(alice.id)]).toEqual([0, alice]);
  });

  test("that fails takes nothing from those before and after it", () => {
    const { posting, pay } = twoAccounts();
    const units = [
      { commands: [pay(500n)], atomic: false },
      { commands: [pay(400n), pay(400n)], atomic: true },
      { commands: [pay(500n)], atomic: false },
    ];
    expect(decide(posting, units)).toEqual([
      ["SETTLED"],
      ["BATCH_NOT_APPLIED", "INSUFFICIENT_FUNDS"],
      ["SETTLED"],
    ]);
  });

  test("counts a settled replay as done", () => {
    const { posting, pay } = twoAccounts();
    const [old, fresh] = [pay(1_000n), pay(1_000n)];
    const unit = { commands: [old, fresh], atomic: true };
    const outcomes = decide(posting, [unit], replayOf(old, "SETTLED"));
    expect(outcomes).toEqual([["SETTLED", "SETTLED"]]);
    expect(posting.payments.map((payment) => payment.id)).toEqual([fresh.id]);
  });

  test("fails by a replay that was declined", () => {
    const { posting, pay } = twoAccounts();
    const [old, fresh] = [pay(1n), pay(1n)];
    const unit = { commands: [old, fresh], atomic: true };
    const outcomes = decide(posting, [unit], replayOf(old, "REJECTED"));
    expect(outcomes).toEqual([["INSUFFICIENT_FUNDS", "BATCH_NOT_APPLIED"]]);
    expect(posting.payments).toEqual([]);
  });

  test.each(["CANCELLED", "EXPIRED"] as const)(
    "that is all replays was applied, though a hold of it is %s by now",
    (status) => {
      const { posting, pay } = twoAccounts();
      const [paid, hold] = [pay(1n), pay(1n)];
      const unit = { commands: [paid, hold], atomic: true };
      const replays = new Map([...replayOf(paid, "SETTLED"), ...replayOf(hold, status)]);
      expect(decide(posting, [unit], replays)).toEqual([["SETTLED", status]]);
    },
  );

  test.each(["REJECTED", "PENDING"] as const)(
    "that is all replays wasn't applied if one of them is %s: no atomic batch stores that",
    (status) => {
      const { posting, pay } = twoAccounts();
      const [paid, other] = [pay(1n), pay(1n)];
      const unit = { commands: [paid, other], atomic: true };
      const replays = new Map([...replayOf(paid, "SETTLED"), ...replayOf(other, status)]);
      expect(decide(posting, [unit], replays)[0]).toContain("BATCH_NOT_APPLIED");
    },
  );

  test("is run again if somebody took one of its keys meanwhile", () => {
    const { posting, pay } = twoAccounts();
    const [one, taken] = [pay(1n), pay(1n)];
    const outcomes: Outcomes = new Map();
    const unit = { commands: [one, taken], atomic: true };
    decideUnits([unit], posting, NOW, new Set([one.id]), outcomes);
    expect([...outcomes.values()]).toEqual([{ kind: "again" }, { kind: "again" }]);
    expect(posting.payments).toEqual([]);
  });
});

test("A single payment whose key was taken before isn't decided", () => {
  const { posting, pay } = twoAccounts();
  const outcomes: Outcomes = new Map();
  decideUnits([{ commands: [pay(1n)], atomic: false }], posting, NOW, new Set(), outcomes);
  expect([outcomes.size, posting.payments.length]).toEqual([0, 0]);
});
