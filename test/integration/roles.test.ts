// Each role alone in an instance, all on one database: together they are the service.
import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  AccountService,
  CreateAccountRequestSchema,
  OverdraftMode,
} from "../../gen/instantpayment/v1/account_service_pb.ts";
import { PaymentStatus } from "../../gen/instantpayment/v1/payment_pb.ts";
import {
  CaptureMode,
  CreatePaymentRequestSchema,
  PaymentService,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { LedgerService } from "../../gen/instantpayment/v1/ledger_service_pb.ts";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { freePort } from "../../src/platform/listen.ts";
import { contractFiles } from "../support/contract.ts";
import { expectInvariants } from "../support/invariants.ts";
import { clientOf } from "../support/keys.ts";
import { createMigratedDatabase } from "../support/ledger.ts";
import { CREATE_PAYMENT } from "../support/payment-requests.ts";
import type { TestDatabase } from "../support/postgres.ts";
import { callUnary, encode, isFramed, PROTOCOLS } from "../support/rpc-protocols.ts";
import { startTestApp, type TestApp } from "../support/running-app.ts";

const ROLES = ["payments", "accounts", "relay", "scheduler"] as const;

let database: TestDatabase;
let apps: Readonly<Record<(typeof ROLES)[number], TestApp>>;

beforeAll(async () => {
  database = await createMigratedDatabase();
  // Nobody listens there: what a relay does with a Kafka is in test/full.
  const brokers = `127.0.0.1:${await freePort()}`;
  const start = async (role: string) => [
    role,
    await startTestApp({ DATABASE_URL: database.url, ROLES: role, KAFKA_BROKERS: brokers }),
  ];
  apps = Object.fromEntries(await Promise.all(ROLES.map(start)));
});

afterAll(async () => {
  await Promise.all(Object.values(apps).map((app) => app.stop()));
  await expectInvariants(database.url);
  await database.drop();
});

async function readiness({ adminUrl }: TestApp): Promise<[number, unknown]> {
  const answer = await fetch(`${adminUrl}/readyz`);
  return [answer.status, ((await answer.json()) as { checks: unknown }).checks];
}

test("payments and accounts take calls, each for its own service and for what both have", async () => {
  const servicesOf = async ({ apiUrl }: TestApp) => {
    const { statuses } = await clientOf(Health, apiUrl, "").list({});
    return Object.keys(statuses).filter((name) => name.startsWith("instantpayment."));
  };
  const common = ["Ledger", "ApiKey", "Webhook"].map((name) => `instantpayment.v1.${name}Service`);
  expect(await servicesOf(apps.payments)).toEqual(["instantpayment.v1.PaymentService", ...common]);
  expect(await servicesOf(apps.accounts)).toEqual(["instantpayment.v1.AccountService", ...common]);
  for (const { apiUrl, adminKey } of [apps.payments, apps.accounts]) {
    expect(await clientOf(LedgerService, apiUrl, adminKey).verifyLedger({})).toMatchObject({
      ok: true,
    });
  }
});

test("whichever instance is asked, reflection tells of every service of the contract", async () => {
  const contract = (await contractFiles()).flatMap(({ services }) => services);
  async function* question() {
    yield { messageRequest: { case: "listServices" as const, value: "" } };
  }
  for (const { apiUrl } of [apps.payments, apps.accounts]) {
    const client = createClient(ServerReflection, createGrpcTransport({ baseUrl: apiUrl }));
    const described: string[] = [];
    for await (const { messageResponse } of client.serverReflectionInfo(question())) {
      if (messageResponse.case !== "listServicesResponse") throw new Error("no list");
      described.push(...messageResponse.value.service.map(({ name }) => name));
    }
    expect(described.filter((name) => name.startsWith("instantpayment.")).toSorted()).toEqual(
      contract.map(({ typeName }) => typeName).toSorted(),
    );
  }
});

test.each(PROTOCOLS)("a call for the other's service is told the role: $name", async (protocol) => {
  const elsewhere = [
    {
      app: apps.accounts,
      path: CREATE_PAYMENT,
      body: encode(protocol, CreatePaymentRequestSchema, create(CreatePaymentRequestSchema)),
      role: "payments",
    },
    {
      app: apps.payments,
      path: "/instantpayment.v1.AccountService/CreateAccount",
      body: encode(protocol, CreateAccountRequestSchema, create(CreateAccountRequestSchema)),
      role: "accounts",
    },
  ];
  for (const { app, path, body, role } of elsewhere) {
    const authorization = `Bearer ${app.adminKey}`;
    const outcome = await callUnary(app.apiUrl, protocol, path, body, { authorization });
    expect(outcome).toMatchObject({
      status: isFramed(protocol) ? 200 : 501,
      code: "unimplemented",
      reason: "UNIMPLEMENTED",
      message: expect.stringContaining(`instances that have ${role} in ROLES`),
    });
  }
});

test("relay and scheduler take none, and only the relay's readiness is Kafka's", async () => {
  expect(apps.relay.apiUrl).toBe("");
  expect(apps.scheduler.apiUrl).toBe("");
  const ready = { serving: { ok: true }, database: { ok: true } };
  for (const role of ["payments", "accounts", "scheduler"] as const) {
    expect([role, ...(await readiness(apps[role]))]).toEqual([role, 200, ready]);
  }
  const [status, checks] = await readiness(apps.relay);
  expect(status).toBe(503);
  expect(checks).toEqual({
    ...ready,
    kafka: { ok: false, error: expect.stringMatching(/^Kafka: .+/) },
  });
});

test("together they open an account, pay from it and end a hold", async () => {
  const accounts = clientOf(AccountService, apps.accounts.apiUrl, apps.accounts.adminKey);
  const open = async (ownerId: string, overdraftMode?: OverdraftMode) =>
    (await accounts.createAccount({ ownerId, currencyCode: "EUR", overdraftMode })).account!.id;
  const debtorAccountId = await open("bank", OverdraftMode.UNBOUNDED);
  const creditorAccountId = await open("bob");
  const payments = clientOf(PaymentService, apps.payments.apiUrl, apps.payments.adminKey);
  const payment = {
    debtorAccountId,
    creditorAccountId,
    amount: { currencyCode: "EUR", amountMinor: 5n },
  };
  const key = () => ({ idempotencyKey: randomUUID() });
  const settled = await payments.createPayment({ ...payment, ...key() });
  expect(settled.payment?.status).toBe(PaymentStatus.SETTLED);
  const held = await payments.createPayment({
    ...payment,
    ...key(),
    captureMode: CaptureMode.MANUAL,
    holdDuration: { seconds: 1n },
  });
  const statusNow = async () => {
    const { payment: now } = await payments.getPayment({ paymentId: held.payment!.id });
    return now?.status;
  };
  expect(await statusNow()).toBe(PaymentStatus.HELD);
  // By the scheduler, which is no one else's role here.
  await expect.poll(statusNow, { timeout: 6_000 }).toBe(PaymentStatus.EXPIRED);
  const { balance } = await accounts.getBalance({ accountId: creditorAccountId });
  expect(balance).toMatchObject({ postedMinor: 5n, heldMinor: 0n });
});
