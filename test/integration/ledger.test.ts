import { PaymentEntity } from "../../src/payments/payment.entity.ts";
import { describe, expect, it } from "vitest";
import { callAs } from "../support/ledger.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();

describe("a payment", () => {
  it("moves the amount and tells both balances", async () => {
    const { ledger } = used;
    const alice = await ledger.openFunded(10_000n);
    const bob = await ledger.open({ ownerId: "bob" });
    const { payment, replayed } = await ledger.pay({
      debtorAccountId: alice.id,
      creditorAccountId: bob.id,
      amountMinor: 2_500n,
    });
    expect(replayed).toBe(false);
    expect(payment).toMatchObject({
      status: "SETTLED",
      debtorBalanceAfterMinor: 7_500n,
      creditorBalanceAfterMinor: 2_500n,
    });
    expect(await ledger.account(bob.id)).toMatchObject({ postedMinor: 2_500n, entrySequence: 1 });
  });
});

describe("a text", () => {
  it.each([
    "NULL",
    "",
    '\\"',
    '{"a",b}',
    "a,b\n\t",
    "\\\\x00",
    "é 漢 🙂",
    "'; drop table entry --",
  ])("that reads %j is stored as it is", async (text) => {
    const alice = await used.ledger.openFunded(1n);
    const bob = await used.ledger.open({ ownerId: "bob" });
    const { payment } = await used.ledger.pay({
      debtorAccountId: alice.id,
      creditorAccountId: bob.id,
      amountMinor: 1n,
      remittanceInformation: text,
      endToEndId: text,
      metadata: { [`k${text}`]: text },
    });
    const key = { id: payment.id, createTime: payment.createTime };
    expect(await used.ledger.orm.em.fork().findOneOrFail(PaymentEntity, key)).toMatchObject({
      remittanceInformation: text,
      endToEndId: text,
      metadata: { [`k${text}`]: text },
    });
  });
});

describe("whose account it is", () => {
  it("lets only the owner and an administrator pay from an account", async () => {
    const { ledger } = used;
    const alice = await ledger.openFunded(10_000n);
    const bob = await ledger.open({ ownerId: "bob" });
    const payment = { debtorAccountId: alice.id, creditorAccountId: bob.id, amountMinor: 1n };
    await expect(ledger.pay(payment, callAs("bob"))).rejects.toMatchObject({
      reason: "ACCOUNT_NOT_FOUND",
    });
    expect((await ledger.pay(payment, callAs("alice"))).payment.status).toBe("SETTLED");
  });
});
