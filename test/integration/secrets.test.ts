// What callers send stays between them and the service.
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createApp } from "../../src/app.ts";
import { readConfig } from "../../src/config.ts";
import { createLogger } from "../../src/platform/logger.ts";
import { OverdraftMode, AccountService } from "../../gen/instantpayment/v1/account_service_pb.ts";
import { WebhookService } from "../../gen/instantpayment/v1/webhook_service_pb.ts";
import { createMigratedDatabase } from "../support/ledger.ts";
import { clientOf, makeKey } from "../support/keys.ts";
import { openCuttingProxy, type CuttingProxy } from "../support/cutting-proxy.ts";
import type { TestDatabase } from "../support/postgres.ts";
import { runSql } from "../support/sql.ts";

const ADMIN_KEY = "an-administrators-key-that-tests-use";
const CANARY = "canary-7c1f";

let database: TestDatabase;
let proxy: CuttingProxy;
let log = "";
let app: { readonly apiUrl: string; readonly adminUrl: string; readonly adminKey: string };
let stop: () => Promise<void>;

beforeAll(async () => {
  database = await createMigratedDatabase();
  proxy = await openCuttingProxy(database.url);
  const settings = {
    DATABASE_URL: proxy.url,
    ADMIN_API_KEY: ADMIN_KEY,
    PORT: "0",
    ADMIN_PORT: "0",
    LOG_LEVEL: "trace",
  };
  const sink = new PassThrough().on("data", (chunk: Buffer) => (log += chunk.toString()));
  const service = createApp({
    config: readConfig({ serving: true }, settings),
    adminKey: ADMIN_KEY,
    logger: createLogger("trace", sink),
  });
  const { apiUrl = "", adminUrl } = await service.start();
  app = { apiUrl, adminUrl, adminKey: ADMIN_KEY };
  stop = () => service.close();
});

afterAll(async () => {
  await stop();
  await proxy.close();
  await database.drop();
});

test("neither keys nor bodies get into log, metrics or the answers to what fails", async () => {
  const { secret } = await makeKey(app, "alice");
  const accounts = clientOf(AccountService, app.apiUrl, ADMIN_KEY);
  const open = async (overdraftMode?: OverdraftMode) =>
    (await accounts.createAccount({ currencyCode: "EUR", ownerId: "alice", overdraftMode }))
      .account!.id;
  const [debtorAccountId, creditorAccountId] = [await open(OverdraftMode.UNBOUNDED), await open()];
  const token = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${CANARY}.x`;
  const payment = {
    idempotencyKey: `${CANARY}-key`,
    debtorAccountId,
    creditorAccountId,
    amount: { currencyCode: "EUR", amountMinor: "1" },
    endToEndId: CANARY,
    remittanceInformation: CANARY,
    metadata: { [CANARY]: CANARY },
  };
  const answers: string[] = [];
  const call = async (key: string, body: string, init: RequestInit = {}, query = "") => {
    const response = await fetch(
      `${app.apiUrl}/instantpayment.v1.PaymentService/${query || "CreatePayment"}`,
      {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
        ...(init.method !== "GET" && { body }),
        ...init,
      },
    );
    const text = await response.text();
    if (!response.ok) answers.push(text);
    return response.status;
  };
  const webhooks = clientOf(WebhookService, app.apiUrl, secret);
  const url = `https://nobody.invalid/${CANARY}`;
  const { secret: signing } = await webhooks.createWebhookEndpoint({ url, description: CANARY });
  const good = JSON.stringify(payment);
  expect(await call(secret, good)).toBe(200);
  expect(await call(`${secret.slice(0, -1)}-`, good)).toBe(401);
  expect(await call(`${CANARY}-junk`, good)).toBe(401);
  expect(await call(token, good)).toBe(401);
  expect(
    await call(
      secret,
      JSON.stringify({ ...payment, amount: { currencyCode: "EUR", amountMinor: "2" } }),
    ),
  ).toBe(409);
  expect(await call(secret, `{"${CANARY}": 1}`)).toBe(400);
  expect(await call(secret, `${CANARY} no JSON`)).toBe(400);
  expect(await call(secret, good.slice(0, -1))).toBe(400);
  const query = `GetPayment?encoding=json&message=${encodeURIComponent(`{"paymentId":"${CANARY}"}`)}`;
  expect(
    await call(
      secret,
      "",
      { method: "GET", headers: { authorization: `Bearer ${secret}` } },
      query,
    ),
  ).toBe(400);
  // A fault of the service: the database refuses what the caller sent.
  await runSql(
    database.url,
    "alter table payment add constraint odd check (end_to_end_id = 'x') not valid",
  );
  await runSql(
    database.url,
    "alter table account add constraint odd check (owner_id <> $$alice$$) not valid",
  );
  expect(await call(secret, good.replace(`${CANARY}-key`, "other"))).toBe(500);
  const opening = accounts.createAccount({
    currencyCode: "EUR",
    ownerId: "alice",
    metadata: { [CANARY]: CANARY },
  });
  await expect(opening).rejects.toThrow("[internal] internal error");
  // And it is away.
  proxy.goAway(true);
  expect(await call(secret, good.replace(`${CANARY}-key`, "third"))).toBe(503);

  const metrics = await (await fetch(`${app.adminUrl}/metrics`)).text();
  expect(log).toContain('"level":"error"');
  const hiddenTexts = { ADMIN_KEY, secret: secret.slice(-42), signing: signing.slice(6), CANARY };
  for (const [place, text] of [
    ["log", log],
    ["metrics", metrics],
  ] as const) {
    for (const [what, hidden] of Object.entries(hiddenTexts)) {
      expect(
        text.split("\n").filter((line) => line.includes(hidden)),
        `${what} in the ${place}`,
      ).toEqual([]);
    }
  }
  for (const answer of answers) {
    expect(answer).not.toContain(secret.slice(-42));
    expect(answer).not.toContain(ADMIN_KEY);
    expect(answer).not.toContain(`${CANARY}-junk`);
  }
});
