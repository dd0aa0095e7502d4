import { once } from "node:events";
import { Agent, request as http1Request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, expect, test } from "vitest";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/grpc/health/v1/health_pb.ts";
import { PaymentService } from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { createGate } from "../../src/rpc/gate.ts";
import { KEY, startEchoServer, type EchoServer } from "../support/echo-server.ts";
import { sendHttp1, sendHttp2 } from "../support/http-exchange.ts";
import { CREATE_PAYMENT, paymentJson } from "../support/payment-requests.ts";

const servers: EchoServer[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

async function start(options: Parameters<typeof startEchoServer>[0] = {}): Promise<EchoServer> {
  const server = await startEchoServer(options);
  servers.push(server);
  return server;
}

const payFor = (ms: number) => ({
  path: CREATE_PAYMENT,
  headers: { "content-type": "application/json", authorization: KEY },
  body: Buffer.from(JSON.stringify(paymentJson({ remittanceInformation: `sleep ${ms}` }))),
});

test("calls under way are finished before the server is closed", async () => {
  const server = await start();
  const calls = [sendHttp1(server.url, payFor(300)), sendHttp2(server.url, payFor(300))];
  await untilOrders(server, 2);
  const closed = server.close(5_000);
  expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200]);
  await closed;
  await expect(sendHttp1(server.url, payFor(0))).rejects.toThrow("ECONNREFUSED");
});

test("calls whose callers have left are finished before the server is closed", async () => {
  const ended: string[] = [];
  const server = await start({ observe: ({ code }) => ended.push(code) });
  const { path, headers, body } = payFor(500);
  const call = http1Request(server.url + path, { method: "POST", headers });
  call.on("error", () => undefined).end(body);
  await untilOrders(server, 1);
  call.destroy();
  await server.close(5_000);
  expect(ended).toEqual(["ok"]);
});

test("a call that outlasts the grace is cut", async () => {
  const server = await start();
  const calls = [sendHttp1(server.url, payFor(4_000)), sendHttp2(server.url, payFor(4_000))];
  const outcomes = Promise.allSettled(calls);
  await untilOrders(server, 2);
  const startMs = performance.now();
  await server.close(200);
  expect(performance.now() - startMs).toBeLessThan(2_000);
  expect((await outcomes).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});

test("connections without calls don't hold up the close", async () => {
  const server = await start();
  const agent = new Agent({ keepAlive: true });
  const [response] = await once(http1Request(`${server.url}/`, { agent }).end(), "response");
  response.resume();
  await once(response, "end");
  const session = connectHttp2(server.url);
  await once(session, "remoteSettings");
  const silent = connect(server.port, server.host);
  await once(silent, "connect");
  const startMs = performance.now();
  await server.close(10_000);
  expect(performance.now() - startMs).toBeLessThan(2_000);
  agent.destroy();
  session.destroy();
  silent.destroy();
});

test("a connection that is kept alive is closed after its call", async () => {
  const server = await start();
  const agent = new Agent({ keepAlive: true });
  const { path, headers, body } = payFor(300);
  const slow = http1Request(server.url + path, { method: "POST", agent, headers });
  slow.end(body);
  await untilOrders(server, 1);
  const startMs = performance.now();
  const closed = server.close(10_000);
  const [response] = await once(slow, "response");
  expect([response.statusCode, response.headers.connection]).toEqual([200, "close"]);
  response.resume();
  await closed;
  expect(performance.now() - startMs).toBeLessThan(5_000);
  agent.destroy();
});

test("who comes too late is told to come again", () => {
  const gate = createGate(() => Promise.resolve(undefined));
  gate.assertOpen();
  gate.shut();
  expect(() => gate.assertOpen()).toThrow(expect.objectContaining({ reason: "UNAVAILABLE" }));
});

test("open streams end as unavailable at once", async () => {
  const server = await start();
  const client = createClient(Health, createGrpcTransport({ baseUrl: server.url }));
  const stream = client.watch({})[Symbol.asyncIterator]();
  expect((await stream.next()).value?.status).toBe(Status.SERVING);
  const end = stream.next();
  const closed = server.close(5_000);
  await expect(end).rejects.toThrow("[unavailable] the instance is shutting down");
  await closed;
});

test("health follows readiness", async () => {
  let isReady = true;
  const server = await start({ isReady: () => isReady });
  const client = createClient(Health, createGrpcTransport({ baseUrl: server.url }));
  const stream = client.watch({})[Symbol.asyncIterator]();
  expect((await stream.next()).value?.status).toBe(Status.SERVING);
  isReady = false;
  expect((await stream.next()).value?.status).toBe(Status.NOT_SERVING);
  const service = PaymentService.typeName;
  expect((await client.check({ service })).status).toBe(Status.NOT_SERVING);
  const { statuses } = await client.list({});
  expect(statuses[service]?.status).toBe(Status.NOT_SERVING);
  isReady = true;
  expect((await stream.next()).value?.status).toBe(Status.SERVING);
  await stream.return?.();
  const unknown = client.watch({ service: "no.such.Service" })[Symbol.asyncIterator]();
  expect((await unknown.next()).value?.status).toBe(Status.SERVICE_UNKNOWN);
  await unknown.return?.();
});

test("more calls at once than the limit are refused as overloaded", async () => {
  const server = await start({ limits: { maxConcurrentCalls: 1 } });
  const first = sendHttp1(server.url, payFor(300));
  await untilOrders(server, 1);
  const second = await sendHttp1(server.url, payFor(0));
  expect(second.status).toBe(429);
  expect(second.headers["retry-after"]).toBe("1");
  expect((await first).status).toBe(200);
  expect((await sendHttp1(server.url, payFor(0))).status).toBe(200);
});

async function untilOrders(server: EchoServer, count: number): Promise<void> {
  await expect.poll(() => server.orders().length, { interval: 10, timeout: 10_000 }).toBe(count);
}
