import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { AccountRow } from "../../src/accounts/account.entity.ts";
import { MAX_AMOUNT_MINOR, MAX_BALANCE_MINOR } from "../../src/kernel/money.ts";
import { callAs } from "../support/ledger.ts";
import { runSql } from "../support/sql.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();

/** Pays and returns status or reason, and the debtor's balance in the database after it. */
async function pay(debtor: AccountRow, creditor: AccountRow, amountMinor: bigint) {
  const { payment } = await used.ledger.pay({
    debtorAccountId: debtor.id,
    creditorAccountId: creditor.id,
    amountMinor,
  });
  const { postedMinor } = await used.ledger.account(debtor.id);
  return [payment.reason ?? payment.status, postedMinor];
}

async function setStatus(accountId: string, status: AccountRow["status"]): Promise<void> {
  const unchanged = { version: undefined, metadata: undefined };
  const overdraft = { overdraftMode: undefined, overdraftLimitMinor: undefined };
  const update = { accountId, status, ...unchanged, ...overdraft };
  await used.ledger.updateAccount(callAs("admin"), update);
}

describe("An account pays", () => {
  test("what it has and no more, without an overdraft", async () => {
    const [alice, bob] = [await used.ledger.openFunded(100n), await used.ledger.open()];
    expect(await pay(alice, bob, 101n)).toEqual(["INSUFFICIENT_FUNDS", 100n]);
    expect(await pay(alice, bob, 100n)).toEqual(["SETTLED", 0n]);
    expect(await pay(alice, bob, 1n)).toEqual(["INSUFFICIENT_FUNDS", 0n]);
  });

  test("down to its limit, with a limited overdraft", async () => {
    const limited = { overdraftMode: "LIMITED", overdraftLimitMinor: 50n } as const;
    const [alice, bob] = [await used.ledger.openFunded(100n, limited), await used.ledger.open()];
    expect(await pay(alice, bob, 151n)).toEqual(["INSUFFICIENT_FUNDS", 100n]);
    expect(await pay(alice, bob, 150n)).toEqual(["SETTLED", -50n]);
    expect(await pay(alice, bob, 1n)).toEqual(["INSUFFICIENT_FUNDS", -50n]);
  });

  test("whatever it likes, with an unbounded one", async () => {
    const bank = await used.ledger.open({ overdraftMode: "UNBOUNDED" });
    const bob = await used.ledger.open();
    expect(await pay(bank, bob, MAX_AMOUNT_MINOR)).toEqual(["SETTLED", -MAX_AMOUNT_MINOR]);
  });
});

describe("An account that isn't open", () => {
  test("neither pays nor is paid while it's frozen, and does both when it's open again", async () => {
    const [alice, bob] = [await used.ledger.openFunded(100n), await used.ledger.openFunded(100n)];
    await setStatus(alice.id, "FROZEN");
    expect(await pay(alice, bob, 1n)).toEqual(["ACCOUNT_FROZEN", 100n]);
    expect(await pay(bob, alice, 1n)).toEqual(["ACCOUNT_FROZEN", 100n]);
    await setStatus(alice.id, "OPEN");
    expect(await pay(alice, bob, 1n)).toEqual(["SETTLED", 99n]);
    expect(await pay(bob, alice, 1n)).toEqual(["SETTLED", 100n]);
  });

  test("neither pays nor is paid once it's closed", async () => {
    const [alice, bob] = [await used.ledger.open(), await used.ledger.openFunded(100n)];
    await setStatus(alice.id, "CLOSED");
    expect(await pay(alice, bob, 1n)).toEqual(["ACCOUNT_CLOSED", 0n]);
    expect(await pay(bob, alice, 1n)).toEqual(["ACCOUNT_CLOSED", 100n]);
  });
});

describe("A payment is stored as rejected", () => {
  test("when its creditor account isn't there", async () => {
    const alice = await used.ledger.openFunded(100n);
    const nobody = { ...alice, id: randomUUID() };
    expect(await pay(alice, nobody, 1n)).toEqual(["CREDITOR_ACCOUNT_NOT_FOUND", 100n]);
  });

  test("when an account is in another currency", async () => {
    const alice = await used.ledger.openFunded(100n);
    const dollars = await used.ledger.open({ currencyCode: "USD" });
    expect(await pay(alice, dollars, 1n)).toEqual(["CURRENCY_MISMATCH", 100n]);
  });

  test("with its event, of the one change that it has", async () => {
    const [alice, bob] = [await used.ledger.open(), await used.ledger.open()];
    await pay(alice, bob, 1n);
    const events = await runSql(
      used.url,
      `select count(*)::int from payment_event join payment on payment.id = payment_id
       where debtor_account_id = $1`,
      [alice.id],
    );
    expect(events).toEqual([[1]]);
  });
});

describe("Large numbers", () => {
  test("are moved exactly up to 2^53 - 1", async () => {
    const alice = await used.ledger.openFunded(MAX_AMOUNT_MINOR);
    const bob = await used.ledger.open();
    expect(await pay(alice, bob, MAX_AMOUNT_MINOR - 1n)).toEqual(["SETTLED", 1n]);
    expect((await used.ledger.account(bob.id)).postedMinor).toBe(9_007_199_254_740_990n);
  });

  test("add up to balances far above it, without losing a unit", async () => {
    const [alice, bob] = [await used.ledger.openFunded(MAX_AMOUNT_MINOR), await used.ledger.open()];
    for (let i = 0; i < 5; i++) {
      const more = await used.ledger.openFunded(MAX_AMOUNT_MINOR);
      await pay(more, alice, MAX_AMOUNT_MINOR);
    }
    expect((await used.ledger.account(alice.id)).postedMinor).toBe(54_043_195_528_445_946n);
    expect(await pay(alice, bob, 1n)).toEqual(["SETTLED", 54_043_195_528_445_945n]);
  });

  test("are refused where a balance would leave 64 bits", async () => {
    const bank = await used.ledger.open({ overdraftMode: "UNBOUNDED" });
    const alice = await used.ledger.open();
    // 1,024 payments of 2^53 - 1 leave room for 1,023 more units.
    const payments = Array.from({ length: 1_024 }, () => pay(bank, alice, MAX_AMOUNT_MINOR));
    await Promise.all(payments);
    const { postedMinor } = await used.ledger.account(alice.id);
    const room = MAX_BALANCE_MINOR - postedMinor;
    expect(room).toBe(1_023n);
    expect((await pay(bank, alice, room + 1n))[0]).toBe("BALANCE_OVERFLOW");
    expect((await pay(bank, alice, room))[0]).toBe("SETTLED");
    expect((await used.ledger.account(alice.id)).postedMinor).toBe(MAX_BALANCE_MINOR);
  });
});
