import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AccountService, OverdraftMode } from "../../gen/instantpayment/v1/account_service_pb.ts";
import { PaymentStatus } from "../../gen/instantpayment/v1/payment_pb.ts";
import { PaymentService } from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { createPythonClient, type PythonClient } from "../support/clients/python.ts";
import { startTestApp, type TestApp } from "../support/running-app.ts";
import { chromiumPath } from "../support/services/chromium.ts";
import { run } from "../support/services/process-service.ts";
import { grpcurl, installGrpcurl } from "../support/tools/grpcurl.ts";

// Installing what is missing, and a browser's start, take a busy machine long.
const SLOW_MS = 300_000;
const LARGEST = 9_007_199_254_740_991n;
// With this on the creditor's account, its balance becomes 2^53 + 1, which no double can hold.
const BEFORE = 2n;
const CREATE_PAYMENT = "instantpayment.v1.PaymentService/CreatePayment";
const GET_BALANCE = "instantpayment.v1.AccountService/GetBalance";

/** A payment of the largest amount, as a JSON request. */
interface Order {
  readonly idempotencyKey: string;
  readonly debtorAccountId: string;
  readonly creditorAccountId: string;
  readonly amount: { readonly currencyCode: string; readonly amountMinor: string };
}

/** What a client was told: the payment's status and amount, and the creditor's balance then. */
interface Outcome {
  readonly status: string;
  readonly paid: unknown;
  readonly posted: unknown;
}

interface TransportOptions {
  readonly baseUrl: string;
  readonly interceptors: Interceptor[];
}

type Pay = (order: Order) => Promise<Outcome>;

let app: TestApp;
let browser: Browser;
let python: PythonClient;
let grpcurlPath: string;
let allowed: Server;
let other: Server;
let debtorAccountId: string;

beforeAll(async () => {
  [allowed, other] = await Promise.all([startPage(), startPage()]);
  app = await startTestApp({ CORS_ORIGINS: originOf(allowed) });
  grpcurlPath = await installGrpcurl();
  python = await createPythonClient();
  browser = await chromium.launch({ executablePath: await chromiumPath() });
  debtorAccountId = await openAccount(OverdraftMode.UNBOUNDED);
}, SLOW_MS);

afterAll(async () => {
  await browser?.close();
  python?.remove();
  await app?.stop();
  allowed?.close();
  other?.close();
});

const CLIENTS: Readonly<Record<string, Pay>> = {
  curl: overJson(async (method, body) => {
    const args = ["-sS", "--fail-with-body", "--noproxy", "*", "--max-time", "20"];
    const headers = ["-H", "Content-Type: application/json", "-H", bearer()];
    return await run("curl", ...args, ...headers, "-d", body, `${app.apiUrl}/${method}`);
  }),
  "grpcurl, by reflection alone,": overJson(async (method, body) => {
    const args = ["-H", bearer(), "-d", body, new URL(app.apiUrl).host, method];
    return (await grpcurl(grpcurlPath, args)).output;
  }),
  "A gRPC-Web client on fetch": overTransport(createGrpcWebTransport),
  "A connect-node client on HTTP/1.1": overTransport((options) =>
    createConnectTransport({ ...options, httpVersion: "1.1" }),
  ),
  "A connect-node client on HTTP/2": overTransport((options) =>
    createConnectTransport({ ...options, httpVersion: "2" }),
  ),
  "A connect-node client with gRPC": overTransport(createGrpcTransport),
  "A Python client made from the protos": async (order) => {
    const { host } = new URL(app.apiUrl);
    return JSON.parse(await python.pay(host, app.adminKey, JSON.stringify(order)));
  },
  "A browser's page of an allowed origin": overJson((method, body) =>
    fetchFrom(allowed, method, body),
  ),
};

test.each(Object.entries(CLIENTS))(
  "%s pays 2^53 - 1 and reads 2^53 + 1, exactly",
  { timeout: 60_000 },
  async (_client, pay) => {
    const outcome = await pay(await newOrder());
    expect(outcome).toEqual({
      status: "PAYMENT_STATUS_SETTLED",
      paid: String(LARGEST),
      posted: String(LARGEST + BEFORE),
    });
  },
);

test("A browser's page of another origin can't pay", { timeout: 60_000 }, async () => {
  const order = await newOrder();
  const answer = fetchFrom(other, CREATE_PAYMENT, JSON.stringify(order));
  await expect(answer).rejects.toThrow("Failed to fetch");
  const { accounts } = adminClients();
  const { balance } = await accounts.getBalance({ accountId: order.creditorAccountId });
  expect(balance?.postedMinor).toBe(BEFORE);
});

/** A client that sends JSON and is given JSON, whatever is between. */
function overJson(send: (method: string, body: string) => Promise<string>): Pay {
  return async (order) => {
    const { payment } = JSON.parse(await send(CREATE_PAYMENT, JSON.stringify(order)));
    const { creditorAccountId: accountId } = order;
    const { balance } = JSON.parse(await send(GET_BALANCE, JSON.stringify({ accountId })));
    const { status, amount } = payment;
    return { status, paid: amount.amountMinor, posted: balance.postedMinor };
  };
}

/** A client generated from the contract. */
function overTransport(createTransport: (options: TransportOptions) => Transport): Pay {
  return async (order) => {
    const { payments, accounts } = clientsOn(createTransport);
    const { currencyCode, amountMinor } = order.amount;
    const amount = { currencyCode, amountMinor: BigInt(amountMinor) };
    const { payment } = await payments.createPayment({ ...order, amount });
    const { balance } = await accounts.getBalance({ accountId: order.creditorAccountId });
    const settled = payment?.status === PaymentStatus.SETTLED;
    return {
      status: settled ? "PAYMENT_STATUS_SETTLED" : String(payment?.status),
      paid: String(payment?.amount?.amountMinor),
      posted: String(balance?.postedMinor),
    };
  };
}

/** Sends by the fetch of a page that this server served. */
async function fetchFrom(server: Server, method: string, body: string): Promise<string> {
  const page = await browser.newPage();
  try {
    await page.goto(originOf(server));
    const headers = {
      "Content-Type": "application/json",
      Authorization: `Bearer ${app.adminKey}`,
    };
    return await page.evaluate(async ({ url, init }) => (await fetch(url, init)).text(), {
      url: `${app.apiUrl}/${method}`,
      init: { method: "POST", headers, body },
    });
  } finally {
    await page.close();
  }
}

/** The key as a line of a header, for programs. */
function bearer(): string {
  return `Authorization: Bearer ${app.adminKey}`;
}

function clientsOn(createTransport: (options: TransportOptions) => Transport) {
  const authorize: Interceptor = (next) => (request) => {
    request.header.set("Authorization", `Bearer ${app.adminKey}`);
    return next(request);
  };
  const transport = createTransport({ baseUrl: app.apiUrl, interceptors: [authorize] });
  return {
    payments: createClient(PaymentService, transport),
    accounts: createClient(AccountService, transport),
  };
}

function adminClients() {
  return clientsOn((options) => createConnectTransport({ ...options, httpVersion: "1.1" }));
}

async function openAccount(overdraftMode: OverdraftMode): Promise<string> {
  const request = { ownerId: "clients", currencyCode: "EUR", overdraftMode };
  return (await adminClients().accounts.createAccount(request)).account!.id;
}

/** An order to a new account that has a little already. */
async function newOrder(): Promise<Order> {
  const creditorAccountId = await openAccount(OverdraftMode.NONE);
  const accounts = { debtorAccountId, creditorAccountId };
  const amount = { currencyCode: "EUR", amountMinor: BEFORE };
  await adminClients().payments.createPayment({
    idempotencyKey: randomUUID(),
    ...accounts,
    amount,
  });
  const largest = { currencyCode: "EUR", amountMinor: String(LARGEST) };
  return { idempotencyKey: randomUUID(), ...accounts, amount: largest };
}

/** Serves an empty page on a port, and so an origin, of its own. */
async function startPage(): Promise<Server> {
  const server = createServer((_request, response) =>
    response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html>"),
  );
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

function originOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
