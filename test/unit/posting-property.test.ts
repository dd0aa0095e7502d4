import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { AccountState } from "../../src/accounts/account.ts";
import { MAX_AMOUNT_MINOR, MAX_BALANCE_MINOR, MIN_BALANCE_MINOR } from "../../src/kernel/money.ts";
import { decidePayment } from "../../src/ledger/decide-payment.ts";
import { startPosting } from "../../src/ledger/posting.ts";
import { TEST_TIME_MS, testAccount, testCommand } from "../support/commands.ts";

const anAmount = fc.oneof(
  fc.bigInt({ min: 1n, max: 500n }),
  fc.bigInt({ min: 1n, max: MAX_AMOUNT_MINOR }),
);

const anAccount: fc.Arbitrary<AccountState> = fc
  .record({
    postedMinor: fc.oneof(
      fc.bigInt({ min: 0n, max: 1_000n }),
      fc.bigInt({ min: MAX_BALANCE_MINOR - 1_000n, max: MAX_BALANCE_MINOR }),
      fc.bigInt({ min: MIN_BALANCE_MINOR, max: MIN_BALANCE_MINOR + 1_000n }),
    ),
    overdraft: fc.oneof(
      fc.constant({ overdraftMode: "NONE" as const }),
      fc.constant({ overdraftMode: "UNBOUNDED" as const }),
      anAmount.map((overdraftLimitMinor) => ({
        overdraftMode: "LIMITED" as const,
        overdraftLimitMinor,
      })),
    ),
    status: fc.oneof(
      { weight: 9, arbitrary: fc.constant("OPEN" as const) },
      fc.constant("FROZEN" as const),
    ),
    entrySequence: fc.nat(),
  })
  .map(({ overdraft, ...account }) => testAccount({ ...overdraft, ...account }))
  // No account starts out of its bounds.
  .filter((account) => isInBounds(account));

function isInBounds({ postedMinor, overdraftMode, overdraftLimitMinor }: AccountState): boolean {
  const available = postedMinor + overdraftLimitMinor;
  if (postedMinor < MIN_BALANCE_MINOR || available > MAX_BALANCE_MINOR) return false;
  return overdraftMode === "UNBOUNDED" || available >= 0n;
}

const aLedger = fc.array(anAccount, { minLength: 2, maxLength: 5 }).chain((accounts) => {
  const sides = fc.shuffledSubarray(
    accounts.map((account) => account.id),
    { minLength: 2, maxLength: 2 },
  );
  const payment = fc.record({ sides, amountMinor: anAmount });
  return fc.record({
    accounts: fc.constant(accounts),
    payments: fc.array(payment, { maxLength: 40 }),
  });
});

const sum = (numbers: Iterable<bigint>) => [...numbers].reduce((a, b) => a + b, 0n);

test("However payments come, money is kept, limits hold and entries have no gap", () => {
  const seen = new Set<string>();
  const property = fc.property(aLedger, ({ accounts, payments }) => {
    const posting = startPosting(accounts);
    for (const { sides, amountMinor } of payments) {
      const [debtorAccountId, creditorAccountId] = sides as [string, string];
      const command = testCommand({ debtorAccountId, creditorAccountId, amountMinor });
      const payment = decidePayment(posting, command, new Date(TEST_TIME_MS));
      seen.add(payment.reason ?? payment.status);
    }
    const after = [...posting.accounts.values()];
    expect(sum(after.map((a) => a.postedMinor))).toBe(sum(accounts.map((a) => a.postedMinor)));
    for (const before of accounts) {
      const account = posting.accounts.get(before.id)!;
      expect(isInBounds(account)).toBe(true);
      let { entrySequence, postedMinor } = before;
      for (const entry of posting.entries.filter((one) => one.accountId === before.id)) {
        expect(entry.entrySequence).toBe(++entrySequence);
        expect(entry.balanceAfterMinor).toBe((postedMinor += entry.amountMinor));
      }
      expect([account.entrySequence, account.postedMinor]).toEqual([entrySequence, postedMinor]);
      expect(posting.touched.has(before.id)).toBe(entrySequence > before.entrySequence);
    }
    expect(posting.changes.map((change) => change.payment)).toEqual(posting.payments);
    expect(posting.payments).toHaveLength(payments.length);
  });
  fc.assert(property, { numRuns: 500 });
  // The runs have reached what they are there for.
  expect([...seen].toSorted()).toEqual([
    "ACCOUNT_FROZEN",
    "BALANCE_OVERFLOW",
    "INSUFFICIENT_FUNDS",
    "SETTLED",
  ]);
});
