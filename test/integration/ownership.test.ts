import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { uuidv7 } from "../../src/kernel/ids.ts";
import { toPaymentMessage } from "../../src/payments/payment.message.ts";
import type { SeenPayment } from "../../src/payments/payment.ts";
import { callAs, type TestPayment } from "../support/ledger.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();

const EVERYTHING = {
  pageSize: 1_000,
  pageToken: "",
  accountId: undefined,
  status: undefined,
  startTime: undefined,
  endTime: undefined,
};

/** What only the debtor's side, and only the creditor's side, is told of a payment. */
function secretsOf(seen: SeenPayment) {
  const message = toPaymentMessage(seen);
  const { idempotencyKey, metadata, debtorBalanceAfterMinor, creditorBalanceAfterMinor } = message;
  return { idempotencyKey, metadata, debtorBalanceAfterMinor, creditorBalanceAfterMinor };
}

async function alicePaysBob(change: Partial<TestPayment> = {}) {
  const alice = await used.ledger.openFunded(1_000n, { ownerId: "alice" });
  const bob = await used.ledger.open({ ownerId: "bob" });
  const request = {
    idempotencyKey: randomUUID(),
    debtorAccountId: alice.id,
    creditorAccountId: bob.id,
    amountMinor: 300n,
    metadata: { order: "42" },
    ...change,
  };
  return { request, made: await used.ledger.pay(request, callAs("alice")) };
}

test("each side of a payment sees its own balance, the debtor's alone key and metadata", async () => {
  const { request, made } = await alicePaysBob();
  const { idempotencyKey, metadata } = request;
  const asAlice = { idempotencyKey, metadata, debtorBalanceAfterMinor: 700n };
  const asBob = { idempotencyKey: "", metadata: {}, creditorBalanceAfterMinor: 300n };
  expect(secretsOf(made)).toEqual(asAlice);
  for (const [owner, expected] of [
    ["alice", asAlice],
    ["bob", asBob],
    ["admin", { ...asAlice, creditorBalanceAfterMinor: 300n }],
  ] as const) {
    const { findPayment } = used.ledger;
    expect(secretsOf(await findPayment.get(callAs(owner), made.payment.id))).toEqual(expected);
    const { payments } = await findPayment.list(callAs(owner), EVERYTHING);
    const listed = payments.find(({ payment }) => payment.id === made.payment.id)!;
    expect(secretsOf(listed)).toEqual(expected);
  }
});

test("who owns both sides is told both balances, at once, again, in a dry run and in a batch", async () => {
  const [from, to] = [await used.ledger.openFunded(1_000n), await used.ledger.open()];
  const request = {
    idempotencyKey: randomUUID(),
    debtorAccountId: from.id,
    creditorAccountId: to.id,
    amountMinor: 300n,
  };
  const call = callAs("alice");
  const balances = { debtorBalanceAfterMinor: 700n, creditorBalanceAfterMinor: 300n };
  const dry = await used.ledger.pay({ ...request, validateOnly: true }, call);
  expect(secretsOf(dry)).toMatchObject(balances);
  expect(secretsOf(await used.ledger.pay(request, call))).toMatchObject(balances);
  expect(secretsOf(await used.ledger.pay(request, call))).toMatchObject(balances);
  const [again] = await used.ledger.payTogether([request], call);
  expect(secretsOf(again as SeenPayment)).toMatchObject(balances);
});

test("a creditor isn't told of a payment that was rejected, not even that it's there", async () => {
  const { made } = await alicePaysBob({ amountMinor: 5_000n });
  expect(made.payment.status).toBe("REJECTED");
  const { findPayment } = used.ledger;
  await expect(findPayment.get(callAs("bob"), made.payment.id)).rejects.toMatchObject({
    reason: "PAYMENT_NOT_FOUND",
  });
  const { payments } = await findPayment.list(callAs("bob"), EVERYTHING);
  expect(payments.map(({ payment }) => payment.id)).not.toContain(made.payment.id);
  expect(await findPayment.get(callAs("alice"), made.payment.id)).toMatchObject({
    asDebtor: true,
    asCreditor: false,
  });
});

test("the same idempotency key of two owners makes two payments and tells neither of the other's", async () => {
  const idempotencyKey = randomUUID();
  const first = await alicePaysBob({ idempotencyKey });
  const bob = await used.ledger.openFunded(50n, { ownerId: "bob" });
  const request = { ...first.request, debtorAccountId: bob.id, amountMinor: 50n };
  const other = await used.ledger.pay(request, callAs("bob"));
  expect([other.replayed, other.payment.id === first.made.payment.id]).toEqual([false, false]);
  await expect(used.ledger.pay(first.request, callAs("carol"))).rejects.toMatchObject({
    reason: "ACCOUNT_NOT_FOUND",
  });
});

test("a payment that an admin's key of the same owner made isn't replayed to a lesser key", async () => {
  const { request } = await alicePaysBob();
  const asAdmin = callAs("mallory");
  const admin = {
    ...asAdmin,
    principal: { ownerId: "mallory", scopes: new Set(["admin"] as const) },
  };
  const idempotencyKey = randomUUID();
  const made = await used.ledger.pay({ ...request, idempotencyKey }, admin);
  expect(made.payment.status).toBe("SETTLED");
  const lesser = callAs("mallory");
  await expect(used.ledger.pay({ ...request, idempotencyKey }, lesser)).rejects.toMatchObject({
    reason: "ACCOUNT_NOT_FOUND",
  });
  await expect(used.ledger.findPayment.get(lesser, made.payment.id)).rejects.toMatchObject({
    reason: "PAYMENT_NOT_FOUND",
  });
  expect(await used.ledger.pay({ ...request, idempotencyKey }, admin)).toMatchObject({
    replayed: true,
  });
});

test("a page token of one owner is none of another's", async () => {
  for (let i = 0; i < 3; i++) await alicePaysBob();
  const query = { ...EVERYTHING, pageSize: 1 };
  const { findPayment, findAccount } = used.ledger;
  const { nextPageToken: payments } = await findPayment.list(callAs("alice"), query);
  const accountQuery = { ownerId: undefined, status: undefined, pageSize: 1, pageToken: "" };
  const { nextPageToken: accounts } = await findAccount.list(callAs("alice"), accountQuery);
  const lists = [
    () => findPayment.list(callAs("bob"), { ...query, pageToken: payments }),
    () => findAccount.list(callAs("bob"), { ...accountQuery, pageToken: accounts }),
  ];
  for (const list of lists) {
    await expect(list()).rejects.toMatchObject({ reason: "INVALID_PAGE_TOKEN" });
  }
});

/**
 * What each read takes at its fastest, in milliseconds: the first decile of many, taken in turns.
 * Whatever else the machine does only adds to a time, so this says the same when it's busy.
 */
async function fastest(reads: readonly (() => Promise<unknown>)[]): Promise<number[]> {
  const times = reads.map((): number[] => []);
  for (let round = 0; round < 300; round++) {
    for (let turn = 0; turn < reads.length; turn++) {
      // Each is as often the first.
      const i = (round + turn) % reads.length;
      const startMs = performance.now();
      await reads[i]!().catch(() => undefined);
      times[i]!.push(performance.now() - startMs);
    }
  }
  return times.map((each) => each.toSorted((a, b) => a - b)[Math.floor(each.length / 10)]!);
}

test("what isn't the caller's is refused in the time that it takes to find nothing", async () => {
  const { request, made } = await alicePaysBob();
  const { findPayment, findAccount } = used.ledger;
  const call = callAs("carol");
  const nearby = uuidv7(made.payment.createTime.getTime());
  for (const [theirs, nothing] of [
    [() => findPayment.get(call, made.payment.id), () => findPayment.get(call, nearby)],
    [() => findAccount.get(call, request.debtorAccountId), () => findAccount.get(call, nearby)],
  ] as const) {
    const [a, b] = await fastest([theirs, nothing]);
    // One query more would nearly double it.
    expect(Math.max(a!, b!) / Math.min(a!, b!)).toBeLessThan(1.5);
  }
});
