import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createInstantPayment, type InstantPayment } from "../../sdk/src/node.ts";
import { startTestApp, type TestApp } from "../support/running-app.ts";
import { failureOf } from "../support/sdk-client.ts";
import { sdkReadmeProgram } from "../support/sdk-readme.ts";

let app: TestApp;
let client: InstantPayment;
let funding: string;
let shop: string;

const pay = (value: string, more: object = {}) =>
  client.createPayment({
    debtorAccountId: funding,
    creditorAccountId: shop,
    amount: { value, currencyCode: "EUR" },
    ...more,
  });

beforeAll(async () => {
  app = await startTestApp();
  client = createInstantPayment({ baseUrl: app.apiUrl, apiKey: app.adminKey });
  const overdraftMode = "UNBOUNDED";
  funding = (await client.createAccount({ currencyCode: "EUR", overdraftMode })).id;
  shop = (await client.createAccount({ currencyCode: "EUR", ownerId: "shop" })).id;
});
afterAll(() => app.stop());

describe("The SDK on the real service", () => {
  test("opens accounts, pays, and reads balances and statements to the cent", async () => {
    const createTime = Date.now();
    const settled = await pay("12.50", { metadata: { order: "17" }, endToEndId: "e-17" });
    expect(settled).toMatchObject({
      status: "SETTLED",
      reason: undefined,
      amount: { value: "12.50", currencyCode: "EUR" },
      debtorBalanceAfter: "-12.50",
      creditorBalanceAfter: "12.50",
      metadata: { order: "17" },
      endToEndId: "e-17",
      replayed: false,
    });
    expect(Math.abs(settled.createTime.getTime() - createTime)).toBeLessThan(60_000);
    const { replayed: _, ...payment } = settled;
    expect(await client.getPayment(settled.id)).toEqual(payment);
    expect(await client.getBalance(shop)).toMatchObject({ posted: "12.50", entrySequence: 1 });
    const past = await client.getBalance(shop, { readTime: new Date(createTime - 60_000) });
    expect(past).toMatchObject({ posted: "0.00", entrySequence: 0 });
    const entries = [];
    for await (const entry of client.listEntries(funding)) entries.push(entry);
    expect(entries).toMatchObject([
      { sequence: 1, paymentId: settled.id, amount: { value: "-12.50" }, balanceAfter: "-12.50" },
    ]);
  });

  test("shows a decline as an outcome and a refusal as an error with a reason", async () => {
    const amount = { value: "0.01", currencyCode: "EUR" };
    const empty = await client.createAccount({ currencyCode: "EUR" });
    const declined = { debtorAccountId: empty.id, creditorAccountId: shop, amount };
    expect(await client.createPayment(declined)).toMatchObject({
      status: "REJECTED",
      reason: "INSUFFICIENT_FUNDS",
      reasonCode: "AM04",
    });
    const missing = await failureOf(client.getAccount(randomUUID()));
    expect(missing).toMatchObject({ reason: "ACCOUNT_NOT_FOUND", code: "not_found", attempts: 1 });
    expect(missing.requestId).toMatch(/./);
    const idempotencyKey = randomUUID();
    await pay("1.00", { idempotencyKey });
    expect(await pay("1.00", { idempotencyKey })).toMatchObject({ replayed: true });
    const reused = await failureOf(pay("2.00", { idempotencyKey }));
    expect(reused).toMatchObject({ reason: "IDEMPOTENCY_KEY_REUSED", idempotencyKey });
    const wrong = await failureOf(pay("1.00", { endToEndId: "x".repeat(36) }));
    expect(wrong.reason).toBe("INVALID_FIELD");
    expect(wrong.violations.map(({ field }) => field)).toEqual(["endToEndId"]);
    expect(wrong.metadata).toEqual({ contract_fields: "end_to_end_id" });
    const elsewhere = createInstantPayment({ baseUrl: app.adminUrl, apiKey: app.adminKey });
    expect(await failureOf(elsewhere.getAccount(shop))).toMatchObject({
      message: expect.stringMatching(/^baseUrl doesn't seem to be the service's API/),
      attempts: 1,
    });
    const stranger = createInstantPayment({ baseUrl: app.apiUrl, apiKey: "nobody" });
    expect(await failureOf(stranger.verifyLedger())).toMatchObject({
      reason: "MISSING_CREDENTIALS",
    });
  });

  test("pays in batches, changes accounts, lists them, and the ledger is right", async () => {
    const to = { debtorAccountId: funding, creditorAccountId: shop };
    const amount = { value: "3.00", currencyCode: "EUR" };
    const results = await client.batchCreatePayments([
      { ...to, amount },
      { ...to, amount, debtorAccountId: randomUUID() },
    ]);
    expect(results).toMatchObject([
      { payment: { status: "SETTLED" }, replayed: false },
      { error: { reason: "ACCOUNT_NOT_FOUND", outcomeUnknown: false, retryAfterMs: undefined } },
    ]);
    const tooMuch = { ...to, debtorAccountId: shop, creditorAccountId: funding };
    const all = await client.batchCreatePayments(
      [
        { ...tooMuch, amount: { value: "9000.00", currencyCode: "EUR" } },
        { ...to, amount },
      ],
      { atomic: true },
    );
    expect(all).toMatchObject([
      {
        error: {
          reason: "PAYMENT_DECLINED",
          metadata: { payment_reason: "INSUFFICIENT_FUNDS" },
        },
      },
      { error: { reason: "BATCH_NOT_APPLIED", metadata: {} } },
    ]);
    const yen = await client.createAccount({ currencyCode: "JPY", ownerId: "yen" });
    const changed = await client.updateAccount(yen.id, {
      version: yen.version,
      overdraftMode: "LIMITED",
      overdraftLimit: "500",
      metadata: { a: "b" },
    });
    expect(changed).toMatchObject({
      overdraftLimit: "500",
      available: "500",
      metadata: { a: "b" },
    });
    const stale = await failureOf(
      client.updateAccount(yen.id, { version: yen.version, status: "FROZEN" }),
    );
    expect(stale.reason).toBe("ACCOUNT_VERSION_MISMATCH");
    const ids = [];
    for await (const { id } of client.listAccounts({ ownerId: "yen", pageSize: 1 })) ids.push(id);
    expect(ids).toEqual([yen.id]);
    const statuses = [];
    for await (const payment of client.listPayments({ accountId: shop, pageSize: 2 })) {
      statuses.push(payment.status);
    }
    expect(statuses.length).toBeGreaterThanOrEqual(3);
    const report = await client.verifyLedger();
    expect(report).toMatchObject({ ok: true, findings: [] });
    expect(report.paymentCount).toBeGreaterThanOrEqual(3);
  });

  test("runs what its README shows", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sdk-readme-"));
    const program = await sdkReadmeProgram({ app, fundedAccountId: funding });
    const source = program.replaceAll('"@instant-payment/sdk"', `"${resolve("sdk/src/node.ts")}"`);
    await writeFile(join(folder, "readme.mts"), source);
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, "readme.mts")]);
    await rm(folder, { recursive: true });
    expect(stdout.trim().split("\n")).toEqual([
      "paid 12.50 EUR",
      "12.99",
      "HELD",
      "SETTLED 15.00",
      "SETTLED true",
      "ACCOUNT_NOT_FOUND",
      "1 12.50 12.50",
      "2 15.00 27.50",
      "3 -5.00 22.50",
      "4 1.00 23.50",
      "4",
      "SETTLED SETTLED",
      "undefined 33.40",
    ]);
  });
});
