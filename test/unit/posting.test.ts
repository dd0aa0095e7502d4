import { describe, expect, test } from "vitest";
import type { AccountState } from "../../src/accounts/account.ts";
import { decidePayment } from "../../src/ledger/decide-payment.ts";
import { startPosting, type Posting } from "../../src/ledger/posting.ts";
import { TEST_TIME_MS, testAccount, testCommand } from "../support/commands.ts";

const NOW = new Date(TEST_TIME_MS + 1_000);
const NO_ACCOUNT = "00000000-0000-4000-8000-00000000000a";

/** A posting on alice's and bob's accounts. */
function start(alice: Partial<AccountState> = {}, bob: Partial<AccountState> = {}) {
  const debtor = testAccount({ postedMinor: 1_000n, ...alice });
  const creditor = testAccount({ ownerId: "bob", ...bob });
  const posting = startPosting([debtor, creditor]);
  const ids = { debtorAccountId: debtor.id, creditorAccountId: creditor.id };
  const back = { debtorAccountId: creditor.id, creditorAccountId: debtor.id };
  return { posting, ids, back };
}

function writtenBy({ touched, payments, entries, changes }: Posting) {
  return [touched.size, payments.length, entries.length, changes.length];
}

describe("A settled payment", () => {
  test("is booked on both sides, with the balances after it", () => {
    const { posting, ids } = start();
    const payment = decidePayment(posting, testCommand({ ...ids, amountMinor: 400n }), NOW);
    expect(payment).toMatchObject({
      status: "SETTLED",
      reason: null,
      sequence: 1,
      debtorBalanceAfterMinor: 600n,
      creditorBalanceAfterMinor: 400n,
      updateTime: NOW,
    });
    expect(posting.entries).toMatchObject([
      { accountId: ids.debtorAccountId, amountMinor: -400n, balanceAfterMinor: 600n },
      { accountId: ids.creditorAccountId, amountMinor: 400n, balanceAfterMinor: 400n },
    ]);
    expect(posting.changes).toMatchObject([
      { payment, occurTime: NOW, debtorEntrySequence: 1, creditorEntrySequence: 1 },
    ]);
    expect(writtenBy(posting)).toEqual([2, 1, 2, 1]);
  });

  test("keeps the version that was read, for the write to compare", () => {
    const { posting, ids } = start({ version: 7 });
    decidePayment(posting, testCommand(ids), NOW);
    expect(posting.accounts.get(ids.debtorAccountId)?.version).toBe(7);
  });

  test("is never booked before the last entry of either account", () => {
    const later = new Date(NOW.getTime() + 5_000);
    for (const accounts of [[{ updateTime: later }], [{}, { updateTime: later }]]) {
      const { posting, ids } = start(...(accounts as [Partial<AccountState>]));
      decidePayment(posting, testCommand(ids), NOW);
      expect(posting.entries.map((entry) => entry.createTime)).toEqual([later, later]);
    }
  });
});

describe("In one batch", () => {
  test("an earlier payment funds a later one", () => {
    const { posting, ids, back } = start();
    const bob = { ownerId: "bob" };
    const tooEarly = decidePayment(posting, testCommand({ ...back, amountMinor: 300n }, bob), NOW);
    decidePayment(posting, testCommand({ ...ids, amountMinor: 300n }), NOW);
    const funded = decidePayment(posting, testCommand({ ...back, amountMinor: 300n }, bob), NOW);
    expect([tooEarly.reason, funded.status]).toEqual(["INSUFFICIENT_FUNDS", "SETTLED"]);
    expect(posting.entries.map((entry) => entry.entrySequence)).toEqual([1, 1, 2, 2]);
  });

  test("the same money is spent once", () => {
    const { posting, ids } = start();
    const statuses = [1, 2, 3].map(
      () => decidePayment(posting, testCommand({ ...ids, amountMinor: 500n }), NOW).status,
    );
    expect(statuses).toEqual(["SETTLED", "SETTLED", "REJECTED"]);
    expect(posting.accounts.get(ids.debtorAccountId)?.postedMinor).toBe(0n);
  });
});

describe("A declined payment", () => {
  test("is stored with its event and touches no account", () => {
    const { posting, ids } = start();
    const payment = decidePayment(posting, testCommand({ ...ids, amountMinor: 1_001n }), NOW);
    expect(payment).toMatchObject({
      status: "REJECTED",
      reason: "INSUFFICIENT_FUNDS",
      sequence: 1,
      debtorBalanceAfterMinor: null,
      creditorBalanceAfterMinor: null,
    });
    expect(posting.changes).toMatchObject([{ debtorEntrySequence: 0, creditorEntrySequence: 0 }]);
    expect(writtenBy(posting)).toEqual([0, 1, 0, 1]);
  });
});

describe("A refused call writes nothing", () => {
  test("when its debtor account isn't there or is another owner's, with the same words", () => {
    const { posting, ids } = start();
    const mallory = testCommand(ids, { ownerId: "mallory" });
    const missing = testCommand({ ...ids, debtorAccountId: NO_ACCOUNT });
    const refusals = [mallory, missing].map((command) => {
      try {
        decidePayment(posting, command, NOW);
        return undefined;
      } catch (error) {
        const { message, ...rest } = error as Error;
        return { message, ...rest };
      }
    });
    expect(refusals[0]).toMatchObject({
      reason: "ACCOUNT_NOT_FOUND",
      metadata: { field: "debtor_account_id" },
    });
    expect(refusals[1]).toEqual(refusals[0]);
    expect(writtenBy(posting)).toEqual([0, 0, 0, 0]);
  });

  test("from the moment of its expire_time on, and not before", () => {
    const { posting, ids } = start();
    const expiring = (ms: number) =>
      decidePayment(
        posting,
        testCommand({ ...ids, expireTime: new Date(NOW.getTime() + ms) }),
        NOW,
      );
    for (const ms of [-1, 0]) expect(() => expiring(ms)).toThrow("expire_time");
    expect(writtenBy(posting)).toEqual([0, 0, 0, 0]);
    expect(expiring(1).status).toBe("SETTLED");
  });
});

test("An administrator pays from any account", () => {
  const { posting, ids } = start();
  const admin = testCommand(ids, { ownerId: "admin", isAdmin: true });
  expect(decidePayment(posting, admin, NOW).status).toBe("SETTLED");
});
