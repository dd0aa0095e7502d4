// Two owners and an administrator at once: nobody reads or moves what isn't theirs.
import { randomUUID } from "node:crypto";
import { Code } from "@connectrpc/connect";
import { expect, test, vi } from "vitest";
import {
  AccountService,
  AccountStatus,
  OverdraftMode,
} from "../../gen/instantpayment/v1/account_service_pb.ts";
import { PaymentService } from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { expectInvariants } from "../support/invariants.ts";
import { clientOf, makeKey } from "../support/keys.ts";
import { createMigratedDatabase } from "../support/ledger.ts";
import { ADMIN, createOwnerModel, expectAnswer } from "../support/owner-model.ts";
import { startTestApp } from "../support/running-app.ts";

vi.setConfig({ testTimeout: 120_000 });

const COMMANDS = 10_000;
const AT_ONCE = 12;
const CALLERS = ["alice", "bob", ADMIN];

/** Numbers below 1 that are the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test(`${COMMANDS} commands of two owners and an administrator do what a model of ownership says`, async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = seeded(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const database = await createMigratedDatabase();
  const app = await startTestApp({ DATABASE_URL: database.url });
  const model = createOwnerModel();
  const clients = new Map(
    await Promise.all(
      CALLERS.map(async (caller) => {
        const key = caller === ADMIN ? app.adminKey : (await makeKey(app, caller)).secret;
        const accounts = clientOf(AccountService, app.apiUrl, key);
        const payments = clientOf(PaymentService, app.apiUrl, key);
        return [caller, { accounts, payments }] as const;
      }),
    ),
  );
  /** Looked at in the end: one may be listed before who opens it has been answered. */
  const listed: (readonly [caller: string, accountId: string])[] = [];
  const keys = Array.from({ length: 50 }, () => randomUUID());
  const notFound = (isVisible: boolean) => (isVisible ? undefined : Code.NotFound);

  async function open(caller: string, ownerId: string, overdraftMode?: OverdraftMode) {
    const { accounts } = clients.get(caller)!;
    const isAllowed = caller === ADMIN || (caller === ownerId && !overdraftMode);
    const answer = await expectAnswer(
      accounts.createAccount({ ownerId, currencyCode: "EUR", overdraftMode }),
      isAllowed ? undefined : Code.PermissionDenied,
    );
    if (answer) model.opened(answer.account!.id, ownerId);
  }

  function request(debtorAccountId: string, creditorAccountId: string, idempotencyKey: string) {
    const amount = { currencyCode: "EUR", amountMinor: BigInt(1 + Math.floor(random() * 200)) };
    return { idempotencyKey, debtorAccountId, creditorAccountId, amount, metadata: { a: "b" } };
  }

  /** Every fifth key may have been used before, by this caller or another. */
  async function pay(caller: string) {
    const [debtor, creditor] = [pick(model.accounts), pick(model.accounts)];
    if (debtor === creditor) return;
    const isNew = random() < 0.8;
    const owns = model.owns(caller, debtor);
    const call = clients
      .get(caller)!
      .payments.createPayment(request(debtor, creditor, isNew ? randomUUID() : pick(keys)));
    if (isNew || !owns) {
      // With a used key of the caller's own it's another request, which is told before the owner.
      const answer = isNew ? await expectAnswer(call, notFound(owns)) : await settled(call);
      if (answer) model.paid(caller, answer.payment!);
      return;
    }
    const answer = await settled(call);
    if (answer) model.paid(caller, answer.payment!);
  }

  async function settled<T>(call: Promise<T>): Promise<T | undefined> {
    return call.catch((error: unknown) => {
      expect(String(error)).toMatch(/\[(not_found|already_exists)\]/);
      return undefined;
    });
  }

  async function payTogether(caller: string) {
    const pairs = Array.from({ length: 4 }, () => [pick(model.accounts), pick(model.accounts)]);
    const requests = pairs
      .filter(([debtor, creditor]) => debtor !== creditor)
      .map(([debtor, creditor]) => request(debtor!, creditor!, randomUUID()));
    if (requests.length === 0) return;
    const { results } = await clients.get(caller)!.payments.batchCreatePayments({ requests });
    for (const [i, { payment, error }] of results.entries()) {
      const owns = model.owns(caller, requests[i]!.debtorAccountId);
      expect(error?.reason).toBe(owns ? undefined : "ACCOUNT_NOT_FOUND");
      if (payment) model.paid(caller, payment);
    }
  }

  async function readPayment(caller: string) {
    const payment = pick(model.payments);
    if (!payment) return;
    const call = clients.get(caller)!.payments.getPayment({ paymentId: payment.id });
    const answer = await expectAnswer(call, notFound(model.sees(caller, payment)));
    if (answer) model.expectView(caller, answer.payment!);
  }

  async function listPayments(caller: string) {
    const accountId = random() < 0.5 ? "" : pick(model.accounts);
    const call = clients.get(caller)!.payments.listPayments({ accountId, pageSize: 20 });
    const owns = accountId === "" || model.owns(caller, accountId);
    const answer = await expectAnswer(call, notFound(owns));
    for (const payment of answer?.payments ?? []) model.expectView(caller, payment);
  }

  async function readAccount(caller: string) {
    const accountId = pick(model.accounts);
    const { accounts } = clients.get(caller)!;
    const refusal = notFound(model.owns(caller, accountId));
    const reads = [
      () => expectAnswer(accounts.getAccount({ accountId }), refusal),
      () => expectAnswer(accounts.getBalance({ accountId }), refusal),
      () => expectAnswer(accounts.listEntries({ accountId, pageSize: 5 }), refusal),
      () => expectAnswer(accounts.updateAccount({ accountId, metadata: { a: caller } }), refusal),
    ];
    await pick(reads)();
  }

  async function listAccounts(caller: string) {
    const ownerId = pick(["", "alice", "bob"]);
    const answer = await clients.get(caller)!.accounts.listAccounts({ ownerId, pageSize: 1_000 });
    listed.push(...answer.accounts.map(({ id }) => [caller, id] as const));
    if (caller !== ADMIN && ownerId !== "" && ownerId !== caller) {
      expect(answer.accounts).toEqual([]);
    }
  }

  /** Freezing and an overdraft, which an owner may not give; of another's account not even that. */
  async function overstep(caller: string) {
    if (caller === ADMIN) return;
    const accountId = pick(model.accounts);
    const { accounts } = clients.get(caller)!;
    const changes = [
      { status: AccountStatus.FROZEN },
      { overdraftMode: OverdraftMode.UNBOUNDED },
      { overdraftMode: OverdraftMode.LIMITED, overdraftLimitMinor: 1_000n },
    ];
    const refusal = model.owns(caller, accountId) ? Code.PermissionDenied : Code.NotFound;
    await expectAnswer(accounts.updateAccount({ accountId, ...pick(changes) }), refusal);
  }

  const commands: [share: number, command: (caller: string) => Promise<void>][] = [
    [0.01, (caller) => open(caller, pick(["alice", "bob"]))],
    [
      0.005,
      (caller) => open(caller === ADMIN ? "alice" : caller, "alice", OverdraftMode.UNBOUNDED),
    ],
    [0.4, pay],
    [0.045, payTogether],
    [0.17, readPayment],
    [0.07, listPayments],
    [0.23, readAccount],
    [0.02, listAccounts],
    [0.05, overstep],
  ];

  await open(ADMIN, "bank", OverdraftMode.UNBOUNDED);
  for (const owner of ["alice", "bob", "alice", "bob"]) await open(ADMIN, owner);
  const [bank = ""] = model.accounts;
  for (const account of model.accounts.slice(1)) {
    const funds = request(bank, account, randomUUID());
    const amount = { currencyCode: "EUR", amountMinor: 50_000n };
    const { payment } = await clients.get(ADMIN)!.payments.createPayment({ ...funds, amount });
    model.paid(ADMIN, payment!);
  }
  let left = COMMANDS;
  async function act(): Promise<void> {
    while (left-- > 0) {
      let at = random();
      const command = commands.find(([share]) => (at -= share) < 0)?.[1] ?? pay;
      await command(pick(CALLERS));
    }
  }
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, act));
  } catch (error) {
    throw new Error(`with seed ${seed}`, { cause: error });
  }
  expect(listed.filter(([caller, accountId]) => !model.owns(caller, accountId))).toEqual([]);
  expect(listed.length).toBeGreaterThan(0);
  expect(model.payments.length).toBeGreaterThan(COMMANDS / 10);
  for (const accountId of model.accounts) {
    const { balance } = await clients.get(ADMIN)!.accounts.getBalance({ accountId });
    expect([accountId, balance?.postedMinor]).toEqual([accountId, model.balanceOf(accountId)]);
  }
  await app.stop();
  await expectInvariants(database.url);
  await database.drop();
});
