import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  AccountService,
  GetAccountRequestSchema,
} from "../../gen/instantpayment/v1/account_service_pb.ts";
import { PaymentStatus } from "../../gen/instantpayment/v1/payment_pb.ts";
import {
  CreatePaymentRequestSchema,
  CreatePaymentResponseSchema,
  PaymentService,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import {
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from "../../src/platform/embedded-postgres.ts";
import { expectError } from "../support/expect-error.ts";
import { decode, openPaymentDesk, type PaymentDesk } from "../support/payment-desk.ts";
import { ACCOUNTS, CREATE_PAYMENT, paymentRequest } from "../support/payment-requests.ts";
import {
  callUnary,
  encode,
  frame,
  isFramed,
  PROTOCOLS,
  timeoutHeader,
  type Outcome,
  type Protocol,
} from "../support/rpc-protocols.ts";
import { startTestApp } from "../support/running-app.ts";
import { runSql } from "../support/sql.ts";

const GET_ACCOUNT = `/${AccountService.typeName}/GetAccount`;
const ACCOUNT = create(GetAccountRequestSchema, { accountId: ACCOUNTS.debtor });

let dataDir: string;
let postgres: EmbeddedPostgres;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "stopping-"));
  await chmod(dataDir, 0o711);
  postgres = await startEmbeddedPostgres({ dataDir, database: "pay" });
});
afterAll(async () => {
  await postgres.stop();
  await rm(dataDir, { recursive: true });
});

test("after PostgreSQL has stopped every call is unavailable, in every protocol", async () => {
  const app = await startTestApp({ DATABASE_URL: postgres.url, MIGRATE: "auto" });
  const authorization = `Bearer ${app.adminKey}`;
  await postgres.stop();
  const calls = PROTOCOLS.flatMap((protocol) =>
    [
      { path: GET_ACCOUNT, schema: GetAccountRequestSchema, request: ACCOUNT },
      { path: CREATE_PAYMENT, schema: CreatePaymentRequestSchema, request: paymentRequest() },
    ].map(async ({ path, schema, request }) => {
      const message = encode(protocol, schema, request);
      const outcome = await callUnary(app.apiUrl, protocol, path, message, { authorization });
      expectError(protocol, outcome, ["unavailable", 503, "UNAVAILABLE"]);
      expect(outcome.headers["retry-after"]).toBe("1");
    }),
  );
  await Promise.all(calls);
  await app.stop();
});

test("before it stops it says that it isn't ready, and takes calls as before", async () => {
  const app = await startTestApp();
  app.announceStop();
  const readiness = await fetch(`${app.adminUrl}/readyz`);
  expect([readiness.status, await readiness.text()]).toEqual([
    503,
    expect.stringContaining("draining"),
  ]);
  for (const protocol of PROTOCOLS) {
    const message = encode(protocol, GetAccountRequestSchema, ACCOUNT);
    const authorization = `Bearer ${app.adminKey}`;
    const outcome = await callUnary(app.apiUrl, protocol, GET_ACCOUNT, message, { authorization });
    expectError(protocol, outcome, ["not_found", 404, "ACCOUNT_NOT_FOUND"]);
  }
  await app.stop();
});

test("while the service stops, calls under way end well and new ones are unavailable", async () => {
  const desk = await openPaymentDesk();
  const client = new Client({ connectionString: desk.databaseUrl });
  await client.connect();
  await client.query("begin");
  await client.query("select from account where id = $1 for update", [ACCOUNTS.debtor]);
  const headers = { authorization: desk.authorization };
  const grpc = createClient(PaymentService, createGrpcTransport({ baseUrl: desk.url }));
  const early = grpc.createPayment(paymentRequest(), { headers, timeoutMs: 25_000 });
  const underWay: Promise<Outcome>[] = [];
  // One after the other, so that each transaction of the service that is blocked holds one.
  for (const protocol of PROTOCOLS) {
    const { length } = underWay;
    await expect.poll(() => countUnderWay(desk), { timeout: 10_000 }).toBe(length + 1);
    const timeout = timeoutHeader(protocol, 25_000);
    underWay.push(desk.pay(protocol, { idempotencyKey: protocol.name }, timeout));
  }
  await expect.poll(() => countUnderWay(desk), { timeout: 10_000 }).toBe(6);

  const begun = PROTOCOLS.filter(({ isHttp2 }) => !isHttp2).map((protocol) => ({
    protocol,
    socket: beginCall(desk.port),
  }));
  await Promise.all(begun.map(({ socket }) => once(socket, "ready")));
  await sleep(100);
  const stopped = desk.close();
  for (const { protocol, socket } of begun) {
    const answer = await finishCall(desk, protocol, socket);
    expect(answer).toContain(isFramed(protocol) ? "grpc-status: 14" : "HTTP/1.1 503");
    expect(answer).toMatch(/^retry-after: 1/im);
    expect(answer).toMatch(/^connection: close/im);
  }
  const late = grpc.createPayment(paymentRequest({ idempotencyKey: "late" }), { headers });
  await expect(late).rejects.toThrow("[unavailable]");

  await client.query("commit");
  await client.end();
  for (const [i, outcome] of (await Promise.all(underWay)).entries()) {
    const { payment } = decode(PROTOCOLS[i]!, CreatePaymentResponseSchema, outcome);
    expect(payment?.status).toBe(PaymentStatus.SETTLED);
  }
  expect((await early).payment?.status).toBe(PaymentStatus.SETTLED);
  await stopped;
});

/** A connection over which half the head of a call has gone. */
function beginCall(port: number): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.write(`POST ${CREATE_PAYMENT} HTTP/1.1\r\nHost: x\r\n`);
  return socket;
}

function finishCall(desk: PaymentDesk, protocol: Protocol, socket: Socket): Promise<string> {
  const request = paymentRequest({ idempotencyKey: `late, ${protocol.name}` });
  const message = encode(protocol, CreatePaymentRequestSchema, request);
  const body = isFramed(protocol) ? frame(message) : message;
  socket.write(
    `Authorization: ${desk.authorization}\r\nContent-Type: ${protocol.contentType}\r\n` +
      `Content-Length: ${body.length}\r\n\r\n`,
  );
  socket.write(body);
  return text(socket);
}

/** The payments in the queue, and in one transaction of the service that is blocked with one. */
async function countUnderWay(desk: PaymentDesk): Promise<number> {
  const blocked = await runSql(
    desk.databaseUrl,
    `select count(*)::int from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`,
  );
  const metrics = await (await fetch(`${desk.adminUrl}/metrics`)).text();
  const waiting = Number(/^instant_payment_commit_waiting (\d+)/m.exec(metrics)?.[1]);
  return waiting + Number(blocked[0]?.[0]);
}
