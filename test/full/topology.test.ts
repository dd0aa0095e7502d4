// docker-compose.yml as processes: the same services, environment and load balancer. Everything is
// killed once while payments go on through the load balancer, and every role replaced.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import {
  CreatePaymentRequestSchema,
  CreatePaymentResponseSchema,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { AccountService } from "../../gen/instantpayment/v1/account_service_pb.ts";
import { PaymentStatus } from "../../gen/instantpayment/v1/payment_pb.ts";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { createInstantPayment, type InstantPaymentOptions } from "../../sdk/src/node.ts";
import { expectAllPublished } from "../support/event-drill.ts";
import { openLedger, type TestLedger } from "../support/ledger.ts";
import { type Sample, sectionsOf } from "../support/markdown-samples.ts";
import { decode } from "../support/payment-desk.ts";
import { CREATE_PAYMENT, paymentRequest } from "../support/payment-requests.ts";
import { callUnary, encode, PROTOCOLS } from "../support/rpc-protocols.ts";
import { type Pattern, startSdkLoad, startSdkReads } from "../support/sdk-load.ts";
import { runSql } from "../support/sql.ts";
import { startTopology, type Topology } from "../support/topology.ts";

// HAProxy and Kafka are installed if they aren't there.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const ACCOUNTS = 200;

let topology: Topology;
let ledger: TestLedger;
let accountIds: string[];

beforeAll(async () => {
  topology = await startTopology();
  ledger = await openLedger(topology.databaseUrl);
  const open = () => ledger.openFunded(10n ** 9n);
  accountIds = (await Promise.all(Array.from({ length: ACCOUNTS }, open))).map(({ id }) => id);
});

afterAll(async () => {
  await ledger?.close();
  await topology?.stop();
});

const createSdk = (options: Partial<InstantPaymentOptions> = {}) =>
  createInstantPayment({ baseUrl: topology.url, apiKey: topology.adminKey, ...options });
const headers = () => ({ authorization: `Bearer ${topology.adminKey}` });

test("one port serves all protocols, each service by its own role, and what is on both", async () => {
  const [debtorAccountId = "", creditorAccountId = ""] = accountIds;
  for (const protocol of PROTOCOLS) {
    const request = paymentRequest({
      idempotencyKey: protocol.name,
      debtorAccountId,
      creditorAccountId,
    });
    const message = encode(protocol, CreatePaymentRequestSchema, request);
    const outcome = await callUnary(topology.url, protocol, CREATE_PAYMENT, message, headers());
    const { payment } = decode(protocol, CreatePaymentResponseSchema, outcome);
    expect([protocol.name, payment?.status]).toEqual([protocol.name, PaymentStatus.SETTLED]);
  }
  const grpc = createGrpcTransport({ baseUrl: topology.url });
  const accounts = createClient(AccountService, grpc);
  const sdk = createSdk();
  // Often enough to meet each instance.
  for (let i = 0; i < 4; i++) {
    const answer = await accounts.getAccount(
      { accountId: debtorAccountId },
      { headers: headers() },
    );
    expect(answer.account?.id).toBe(debtorAccountId);
    expect((await sdk.verifyLedger()).ok).toBe(true);
    expect((await fetch(`${topology.url}/swagger-ui.html`)).status).toBe(200);
    expect(await describedServices(grpc)).toEqual(
      expect.arrayContaining(["instantpayment.v1.PaymentService", AccountService.typeName]),
    );
  }
});

async function describedServices(transport: Transport) {
  const client = createClient(ServerReflection, transport);
  async function* requests() {
    yield { host: "", messageRequest: { case: "listServices" as const, value: "" } };
  }
  for await (const { messageResponse } of client.serverReflectionInfo(requests())) {
    if (messageResponse.case !== "listServicesResponse") break;
    return messageResponse.value.service.map(({ name }) => name);
  }
  return [];
}

test("a stream that is quiet outlives the time that other calls get", async () => {
  const short = (text: string) => text.replace(/^( {2}timeout (client|server)) 65s/gm, "$1 1s");
  const balancer = await topology.startLoadBalancer(short);
  const without = await topology.startLoadBalancer((text) =>
    short(text).replaceAll(/^.*set-timeout.*$/gm, ""),
  );
  const ways = [
    (baseUrl: string) => createGrpcTransport({ baseUrl }),
    // As from a browser.
    (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  ];
  const watch = async (transport: Transport) => {
    const ended = new AbortController();
    const stream = createClient(Health, transport).watch({}, { signal: ended.signal });
    const told = (async () => {
      for await (const _ of stream);
    })().then(
      () => "ended",
      () => "cut",
    );
    const result = await Promise.race([told, sleep(3_000, "open")]);
    ended.abort();
    return result;
  };
  const results = await Promise.all(
    [balancer, without].flatMap(({ url }) => ways.map((way) => watch(way(url)))),
  );
  expect(results).toEqual(["open", "open", "cut", "cut"]);
  await Promise.all([balancer.stop(), without.stop()]);
});

test("whom no instance can serve is told so, with no connection cut", async () => {
  const nobody = (text: string) =>
    text.replace(/(^backend payments\n[^]*?)"payments:/m, '$1"nobody:');
  const balancer = await topology.startLoadBalancer(nobody);
  const sdk = createSdk({ baseUrl: balancer.url, retry: { maxAttempts: 1 } });
  const [debtorAccountId = "", creditorAccountId = ""] = accountIds;
  const amount = { value: "1.00", currencyCode: "EUR" };
  for (let i = 0; i < 50; i++) {
    const told = sdk.createPayment({ debtorAccountId, creditorAccountId, amount });
    await expect(told).rejects.toThrow("no instance is ready: send the same again");
  }
  expect((await sdk.getBalance(debtorAccountId)).accountId).toBe(debtorAccountId);
  await balancer.stop();
});

test("what the README shows of it works as it stands", async () => {
  const sections = sectionsOf(readFileSync("README.md", "utf8"));
  const commandsOf = (title: string) =>
    sections.find((section) => section.title === title)!.samples.filter(isShell);
  const payment = commandsOf("The first payment").find(({ text }) => text.includes("invoice-42"))!;
  // There's no Docker: of its commands only the one that shows the key has an effect.
  const docker = `docker() { case "$*" in *admin/api-key) echo "$ADMIN_KEY" ;; esac; }`;
  const script = [
    docker,
    ...commandsOf("Run the parts apart").map(({ text }) => text),
    payment.text,
  ];
  const { stdout } = await promisify(execFile)(
    "sh",
    ["-euc", script.join("\n").replaceAll("http://127.0.0.1:8080", topology.url)],
    { env: { ...process.env, ADMIN_KEY: topology.adminKey } },
  );
  const answers = stdout.replaceAll("}{", "}\n{").split("\n");
  expect(answers.map((answer) => Object.keys(JSON.parse(answer))[0])).toEqual(
    "account account account payment payment".split(" "),
  );
  expect(JSON.parse(answers.at(-1)!)).toMatchObject({
    payment: { status: "PAYMENT_STATUS_SETTLED", debtorBalanceAfterMinor: "98750" },
  });
});

const isShell = ({ language }: Sample) => language === "sh";

test("the service has no more power over PostgreSQL than its own database needs", async () => {
  const powers = "rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls";
  const text = `select distinct rolname, ${powers}
    from pg_stat_activity join pg_roles on rolname = usename
    where datname = 'payment' and pid <> pg_backend_pid()`;
  expect(await runSql(topology.postgres.url, text)).toEqual([["payment", false]]);
});

test("while each process is killed and each role replaced, callers of the SDK see no error", async () => {
  let pattern: Pattern = "uniform";
  const next = () => (pattern = pattern === "uniform" ? "hot-creditor" : "uniform");
  const times: string[] = [];
  const sdk = createSdk();
  // What a whole outage of a part takes is more than the SDK waits by itself.
  const patientSdk = createSdk({ timeoutMs: 60_000, retry: { maxAttempts: 50 } });
  const load = (client: typeof sdk) =>
    startSdkLoad({ client, accountIds, callers: 8, pauseMs: 20, pattern: () => pattern });
  const reads = startSdkReads(sdk, accountIds);
  const byRole = [...topology.roles.values()];

  let current = load(sdk);
  const loads = [current];
  const phase = async (name: string, work: () => Promise<unknown>) => {
    const [startMs, before] = [performance.now(), current.answers.length];
    await work();
    next();
    const until = current.answers.length + 50;
    await vi.waitUntil(() => current.answers.length > until, { timeout: 60_000 });
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
    times.push(`${name}: ${seconds} s, ${current.answers.length - before} payments`);
    expect(current.failures.map(({ error }) => `${name}: ${error.message}`)).toEqual([]);
  };
  for (const i of [0, 1]) {
    await phase(`kill ${i + 1} of each role`, () =>
      Promise.all(byRole.map((replicas) => replicas[i]!.kill())).then(() => sleep(500)),
    );
    await phase(`start them again`, () =>
      Promise.all(byRole.map((replicas) => replicas[i]!.start())),
    );
  }
  const codes: (number | null)[] = [];
  for (const i of [0, 1]) {
    await phase(`replace ${i + 1} of each role`, () =>
      Promise.all(
        byRole.map(async (replicas) => {
          codes.push(await replicas[i]!.stop());
          await replicas[i]!.start();
        }),
      ),
    );
  }
  expect(codes).toEqual(codes.map(() => 0));
  await reads.stop();
  expect(reads.failures).toEqual([]);
  await current.stop();

  current = load(patientSdk);
  loads.push(current);
  const { loadBalancer, redis, kafka, postgres } = topology;
  for (const [name, service] of Object.entries({ loadBalancer, redis, kafka, postgres })) {
    await phase(`kill ${name}`, async () => {
      await service.kill9();
      await service.restart();
    });
  }
  await current.stop();
  const answers = loads.flatMap((one) => one.answers);
  const slowest = loads.map((one) => Math.round(one.slowestMs));
  console.log(`${times.join("\n")}\nslowest call: ${slowest.join(" ms, ")} ms`);
  const { brokers } = kafka;
  const { databaseUrl } = topology;
  await expectAllPublished({ databaseUrl, ledger, brokers, topic: "payment-status", answers });
});
