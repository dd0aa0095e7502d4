import { randomInt } from "node:crypto";
import { expect } from "vitest";
import type { Committed } from "../../src/ledger/group-commit.ts";
import type { TestLedger, TestPayment } from "./ledger.ts";

/** A way for a payment into the ledger. Throws an error with a `reason` if it's refused. */
export type Send = (payment: TestPayment) => Promise<Committed>;

/** What to throw at the ledger, and through which processes. */
export interface Hammer {
  readonly senders: readonly Send[];
  readonly accountIds: readonly string[];
  readonly payments: number;
  /** How many callers wait for an answer at any time. */
  readonly callers: number;
  /** The largest amount of a payment, in minor units. */
  readonly maxAmountMinor: number;
  /** Told after each answer how many there are. */
  readonly onAnswer?: (answers: number) => void;
}

/** What the callers were told. */
export interface Hammered {
  readonly answers: readonly Committed[];
  /** How many payments were sent twice. */
  readonly repeated: number;
  /** The reasons of calls that were refused. */
  readonly refusals: readonly string[];
}

/** Twenty accounts of alice with 1,000.00 EUR each: most without overdraft, some with. */
export async function openTwentyAccounts(ledger: TestLedger): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < 20; i++) {
    const account = await ledger.openFunded(100_000n, {
      ...(i % 5 === 3 && { overdraftMode: "LIMITED", overdraftLimitMinor: 20_000n }),
      ...(i % 10 === 9 && { overdraftMode: "UNBOUNDED" }),
    });
    ids.push(account.id);
  }
  return ids;
}

/**
 * Sends random payments between random accounts through random senders; one in ten is sent twice
 * at once, each time through any sender. Fails if the two aren't told the same payment, or both as
 * new.
 */
export async function hammer(options: Hammer): Promise<Hammered> {
  const answers: Committed[] = [];
  const refusals: string[] = [];
  let left = options.payments;
  let repeated = 0;

  async function send(payment: TestPayment): Promise<Committed | undefined> {
    try {
      const answer = await pick(options.senders)(payment);
      answers.push(answer);
      options.onAnswer?.(answers.length);
      return answer;
    } catch (error) {
      refusals.push((error as { reason?: string }).reason ?? String(error));
      return undefined;
    }
  }

  async function call(): Promise<void> {
    while (left > 0) {
      const number = left--;
      const payment = randomPayment(options, number);
      if (number % 10 !== 0) {
        await send(payment);
        continue;
      }
      repeated++;
      const [one, other] = await Promise.all([send(payment), send(payment)]);
      if (!one || !other) continue;
      expect(other.payment.id).toBe(one.payment.id);
      expect(one.replayed || other.replayed).toBe(true);
    }
  }

  await Promise.all(Array.from({ length: options.callers }, call));
  return { answers, repeated, refusals };
}

function randomPayment(options: Hammer, number: number): TestPayment {
  const debtorAccountId = pick(options.accountIds);
  const others = options.accountIds.filter((id) => id !== debtorAccountId);
  return {
    idempotencyKey: `payment ${number}`,
    debtorAccountId,
    creditorAccountId: pick(others),
    amountMinor: BigInt(randomInt(1, options.maxAmountMinor + 1)),
  };
}

function pick<T>(from: readonly T[]): T {
  return from[randomInt(from.length)]!;
}
