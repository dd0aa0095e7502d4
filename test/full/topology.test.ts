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
import { sectionsOf } from "../support/markdown-samples.ts";
import { decode } from "../support/payment-desk.ts";
import { CREATE_PAYMENT, paymentRequest } from "../support/payment-requests.ts";
import { callUnary, encode, PROTOCOLS } from "../support/rpc-protocols.ts";
import { type Pay, startMixedLoad } from "../support/payment-load.ts";
import { createRawCalls } from "../support/raw-calls.ts";
import { paySdk, startSdkReads } from "../support/sdk-load.ts";
import { runSql } from "../support/sql.ts";
import { type Replica, startTopology, type Topology } from "../support/topology.ts";

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
    sections
      .find((section) => section.title === title)!
      .samples.filter(({ language }) => language === "sh");
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

test("the service has no more power over PostgreSQL than its own database needs", async () => {
  const powers = "rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls";
  const text = `select distinct rolname, ${powers}
    from pg_stat_activity join pg_roles on rolname = usename
    where datname = 'payment' and pid <> pg_backend_pid()`;
  expect(await runSql(topology.postgres.url, text)).toEqual([["payment", false]]);
});

// What sits out the loss of PostgreSQL, some 3 s: the waits before fifteen attempts, which are
// random, last 9.5 s on average; those before twelve may be over sooner.
const PATIENT = { timeoutMs: 30_000, retry: { maxAttempts: 15 } };
const RAW_PATIENCE_MS = 10_000;

test("while each process is killed and each role replaced, callers of the SDK see no error", async () => {
  const load = (pay: Pay) => startMixedLoad({ pay, accountIds, callers: 4, pauseMs: 20 });
  const raw = createRawCalls(topology.url, topology.adminKey, RAW_PATIENCE_MS);
  const byHand = load(raw.pay);
  const reads = startSdkReads(createSdk(), accountIds);
  let bySdk = load(paySdk(createSdk()));
  const loads = [byHand, bySdk];
  const times: string[] = [];
  const phase = async (name: string, work: () => Promise<unknown>) => {
    const startMs = performance.now();
    await work();
    await Promise.all([byHand.untilMore(20), bySdk.untilMore(20)]);
    times.push(`${name}: ${((performance.now() - startMs) / 1_000).toFixed(1)} s`);
    const failures = [...byHand.failures, ...bySdk.failures];
    expect(failures.map(({ error }) => `${name}: ${error.message}`)).toEqual([]);
  };
  const killPart = (name: "redis" | "kafka" | "loadBalancer" | "postgres") =>
    phase(`kill ${name}`, async () => {
      await topology[name].kill9();
      await topology[name].restart();
    });

  const byRole = [...topology.roles.values()];
  const codes: (number | null)[] = [];
  for (const i of [0, 1]) {
    const ofEach = (work: (replica: Replica) => Promise<unknown>) =>
      Promise.all(byRole.map((replicas) => work(replicas[i]!)));
    await phase(`kill ${i + 1} of each role`, async () => {
      await ofEach((replica) => replica.kill());
      await sleep(500);
    });
    await phase("start them again", () => ofEach((replica) => replica.start()));
  }
  for (const i of [0, 1]) {
    const replace = async (replica: Replica) => {
      codes.push(await replica.stop());
      await replica.start();
    };
    await phase(`replace ${i + 1} of each role`, () =>
      Promise.all(byRole.map((replicas) => replace(replicas[i]!))),
    );
  }
  expect(codes).toEqual(codes.map(() => 0));
  await killPart("redis");
  await killPart("kafka");
  await reads.stop();
  expect(reads.failures).toEqual([]);
  await bySdk.stop();

  bySdk = load(paySdk(createSdk(PATIENT)));
  loads.push(bySdk);
  await killPart("loadBalancer");
  await killPart("postgres");
  await Promise.all([byHand.stop(), bySdk.stop()]);

  const answers = loads.flatMap((one) => one.answers);
  const slowest = loads.map(({ slowestMs }) => `${Math.round(slowestMs)} ms`).join(", ");
  times.push(`${answers.length} payments, slowest ${slowest}, ${raw.resent} calls sent again`);
  console.log(times.join("\n"));
  expect(loads.flatMap(({ failures }) => failures)).toEqual([]);
  expect(raw.resent).toBeGreaterThan(0);
  const { databaseUrl, kafka } = topology;
  const told = { ledger, answers, topic: "payment-status" };
  await expectAllPublished({ databaseUrl, brokers: kafka.brokers, ...told });
});
