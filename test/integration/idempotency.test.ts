import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { callAs, type TestPayment } from "../support/ledger.ts";
import { runSql } from "../support/sql.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();
const asAlice = () => callAs("alice");

/** A payment of 1.00 EUR from alice to bob under a key of its own, with every field given. */
let payment: TestPayment & { readonly idempotencyKey: string };
let otherAccountId: string;

beforeAll(async () => {
  const { ledger } = used;
  const [alice, other] = [await ledger.openFunded(100_000n), await ledger.openFunded(100_000n)];
  const bob = await ledger.open({ ownerId: "bob" });
  otherAccountId = other.id;
  payment = {
    idempotencyKey: "",
    debtorAccountId: alice.id,
    creditorAccountId: bob.id,
    amountMinor: 100n,
    endToEndId: "invoice 7",
    remittanceInformation: "for tea \u{1f375}",
    metadata: { b: "2", a: "1" },
    expireTime: new Date(Date.now() + 3_600_000),
  };
});

function withKey(change: Partial<TestPayment> = {}) {
  return { ...payment, idempotencyKey: randomUUID(), ...change };
}

const countOf = async (key: string) =>
  (
    await runSql(used.url, "select count(*)::int from payment where idempotency_key = $1", [key])
  )[0];

describe("The same request again", () => {
  test("is told the same payment and that it was there, however its metadata is ordered", async () => {
    const request = withKey();
    const first = await used.ledger.pay(request, asAlice());
    const again = await used.ledger.pay({ ...request, metadata: { a: "1", b: "2" } }, asAlice());
    expect(first.replayed).toBe(false);
    expect(again).toEqual({ ...first, replayed: true });
    expect(await countOf(request.idempotencyKey)).toEqual([1]);
  });

  test("is told the payment as it is now", async () => {
    const request = withKey();
    const { payment: made } = await used.ledger.pay(request, asAlice());
    const refund = { paymentId: made.id, amount: undefined, remittanceInformation: "" };
    const idempotencyKey = `refund of ${made.id}`;
    await used.ledger.changePayment.refund(callAs("admin"), { ...refund, idempotencyKey });
    const again = await used.ledger.pay(request, asAlice());
    expect(again.payment).toMatchObject({ sequence: 2, refundedMinor: made.amountMinor });
  });

  test("works after its expire_time", async () => {
    const request = withKey({ expireTime: new Date(Date.now() + 1_000) });
    const { payment: made } = await used.ledger.pay(request, asAlice());
    await sleep(1_100);
    const again = await used.ledger.pay(request, asAlice());
    expect([again.payment.id, again.replayed]).toEqual([made.id, true]);
  });

  test("works when the account is frozen meanwhile", async () => {
    const request = withKey({ debtorAccountId: otherAccountId });
    const { payment: made } = await used.ledger.pay(request, asAlice());
    const change = { accountId: otherAccountId, version: undefined, metadata: undefined };
    const overdraft = { overdraftMode: undefined, overdraftLimitMinor: undefined };
    const freeze = { ...change, ...overdraft, status: "FROZEN" as const };
    await used.ledger.updateAccount(callAs("admin"), freeze);
    const again = await used.ledger.pay(request, asAlice());
    await used.ledger.updateAccount(callAs("admin"), { ...freeze, status: "OPEN" });
    expect([again.payment.id, again.payment.status]).toEqual([made.id, "SETTLED"]);
  });
});

describe("Another request with the same key", () => {
  const changes: [string, () => Partial<TestPayment>][] = [
    ["debtor_account_id", () => ({ debtorAccountId: otherAccountId })],
    ["creditor_account_id", () => ({ creditorAccountId: otherAccountId })],
    ["amount.currency_code", () => ({ currencyCode: "USD" })],
    ["amount.amount_minor", () => ({ amountMinor: 101n })],
    ["end_to_end_id", () => ({ endToEndId: "" })],
    ["remittance_information", () => ({ remittanceInformation: "for tea" })],
    ["metadata", () => ({ metadata: { a: "1" } })],
    ["expire_time", () => ({ expireTime: null })],
  ];
  test.each(changes)("is refused, naming %s", async (field, change) => {
    const request = withKey();
    await used.ledger.pay(request, asAlice());
    await expect(used.ledger.pay({ ...request, ...change() }, asAlice())).rejects.toMatchObject({
      reason: "IDEMPOTENCY_KEY_REUSED",
      metadata: { field },
      violations: [{ field }],
    });
    expect(await countOf(request.idempotencyKey)).toEqual([1]);
  });
});

describe("A key", () => {
  test("is used up by a decline", async () => {
    const poor = await used.ledger.open();
    const request = withKey({ debtorAccountId: poor.id });
    const first = await used.ledger.pay(request, asAlice());
    await used.ledger.pay(withKey({ creditorAccountId: poor.id }), asAlice());
    const again = await used.ledger.pay(request, asAlice());
    expect(again).toMatchObject({ payment: { status: "REJECTED" }, replayed: true });
    expect(again.payment.id).toBe(first.payment.id);
  });

  test("isn't used up by an account that isn't there or isn't the caller's", async () => {
    const request = withKey({ debtorAccountId: randomUUID() });
    const bobs = await used.ledger.open({ ownerId: "bob" });
    for (const bad of [request, { ...request, debtorAccountId: bobs.id }]) {
      await expect(used.ledger.pay(bad, asAlice())).rejects.toMatchObject({
        reason: "ACCOUNT_NOT_FOUND",
      });
    }
    const good = { ...request, debtorAccountId: payment.debtorAccountId };
    expect(await used.ledger.pay(good, asAlice())).toMatchObject({ replayed: false });
  });

  test("isn't used up by an expire_time that has passed", async () => {
    const request = withKey({ expireTime: new Date(Date.now() - 60_000) });
    await expect(used.ledger.pay(request, asAlice())).rejects.toMatchObject({
      reason: "EXPIRE_TIME_PASSED",
    });
    const good = { ...request, expireTime: null };
    expect(await used.ledger.pay(good, asAlice())).toMatchObject({ replayed: false });
  });

  test("of another owner is another key", async () => {
    const request = withKey();
    const first = await used.ledger.pay(request, asAlice());
    const asAdmin = await used.ledger.pay(request, callAs("admin"));
    expect(asAdmin.replayed).toBe(false);
    expect(asAdmin.payment.id).not.toBe(first.payment.id);
  });
});
