import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startEmbeddedPostgres } from "../../src/platform/embedded-postgres.ts";
import { type ServiceProcess, groupLives, run } from "../support/service-process.ts";

// Each starts several processes, and the machine may be busy.
vi.setConfig({ testTimeout: 90_000 });

let directory: string;
let dataDir: string;
let service: ServiceProcess | undefined;
let banner: string;
let settled: string[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "instant-payment-start-"));
  await chmod(directory, 0o711);
  dataDir = join(directory, ".data");
});

afterAll(async () => {
  if (service !== undefined && groupLives(service.pid)) service.killHard();
  // Whatever a failed test left: adopted and ended.
  await (await startEmbeddedPostgres({ dataDir, database: "instant_payment" })).stop();
  await rm(directory, { recursive: true });
});

/** `npm start` on free ports, up to the end of its banner. */
async function npmStart(): Promise<string> {
  service = run(["npm", "start"], { DATA_DIR: dataDir, PORT: "0", ADMIN_PORT: "0" });
  return service.printed("GetBalance");
}

/** Runs the banner's curl command for a method in a shell, as somebody who copies it. */
async function runCurl(banner: string, method: string): Promise<Record<string, unknown>> {
  const command = banner
    .split("\n\n")
    .find((paragraph) => paragraph.startsWith("curl ") && paragraph.includes(`.${method} `));
  const { stdout } = await promisify(execFile)("sh", ["-c", command ?? "exit 1"]);
  return JSON.parse(stdout);
}

const pay = (banner: string) => runCurl(banner, "PaymentService/CreatePayment");
const look = (banner: string) => runCurl(banner, "AccountService/GetBalance");

async function adminOf(banner: string, path: string): Promise<Response> {
  return fetch(`${/(http:\S+)\/readyz/.exec(banner)?.[1]}${path}`);
}

test("npm start prints curl lines that pay and show a balance as they are", async () => {
  banner = await npmStart();
  expect(await pay(banner)).toMatchObject({
    payment: { status: "PAYMENT_STATUS_SETTLED" },
    replayed: false,
  });
  expect(await look(banner)).toMatchObject({ balance: { postedMinor: "101000" } });
  expect((await adminOf(banner, "/readyz")).status).toBe(200);
  expect(await (await adminOf(banner, "/metrics")).text()).toContain(
    'instant_payment_rpc_seconds_count{method="instantpayment.v1.PaymentService/CreatePayment"',
  );
  const key = await readFile(join(dataDir, "admin-key"), "utf8");
  expect(banner).toContain(`Bearer ${key.trim()}"`);
  expect((await stat(join(dataDir, "admin-key"))).mode & 0o777).toBe(0o600);
});

test("a second one in the same directory is refused and doesn't disturb the first", async () => {
  const second = run(["npm", "start"], { DATA_DIR: dataDir, PORT: "0", ADMIN_PORT: "0" });
  const { code, stderr } = await second.ended;
  expect(code).toBe(69);
  expect(stderr).toBe(
    `instant-payment: ${dataDir} is in use by another instance: ` +
      "stop that one or set DATA_DIR\n",
  );
  expect(groupLives(service?.pid ?? 0)).toBe(true);
});

test("killed with SIGKILL it starts again, on the PostgreSQL that was left, with its money", async () => {
  service?.killHard();
  await service?.ended;
  expect(existsSync(join(dataDir, "postgres", "data", "postmaster.pid"))).toBe(true);
  banner = await npmStart();
  expect(banner).toContain(`kept in ${join(dataDir, "admin-key")}`);
  expect(banner).not.toContain(await readFile(join(dataDir, "admin-key"), "utf8"));
  expect(await look(banner)).toMatchObject({ balance: { postedMinor: "101000" } });
});

test("commands of the CLI work beside it", async () => {
  const verify = run(["npx", "--no", "instant-payment", "verify", "--json"], { DATA_DIR: dataDir });
  const { code, stdout, stderr } = await verify.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  // Two of demo money and one by hand; at both starts three for the examples.
  expect(JSON.parse(stdout)).toMatchObject({ ok: true, accounts: 3, payments: 9, findings: [] });
  expect(groupLives(service?.pid ?? 0)).toBe(true);
});

/** Calls as the administrator. */
async function call(method: string, request: unknown): Promise<Response> {
  const apiUrl = /API +(http:\S+)/.exec(banner)?.[1];
  return fetch(`${apiUrl}/instantpayment.v1.${method}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${(await readFile(join(dataDir, "admin-key"), "utf8")).trim()}`,
    },
    body: JSON.stringify(request),
  });
}

test("the demo has a key and webhook endpoints too, once, as the README says", async () => {
  const keys = await (await call("ApiKeyService/ListApiKeys", {})).json();
  expect(keys).toMatchObject({ apiKeys: [{ ownerId: "alice", displayName: "Demo" }] });
  const hooks = await (await call("WebhookService/ListWebhookEndpoints", {})).json();
  const one = { ownerId: "example", url: "https://shop.example/webhooks", enabled: true };
  expect(hooks).toMatchObject({ webhookEndpoints: [one, one] });
});

/** Sends a payment of 0.01 EUR; undefined if it got no answer, or was turned away. */
async function payCent(idempotencyKey: string): Promise<unknown> {
  const { alice, bob } = JSON.parse(await readFile(join(dataDir, "demo.json"), "utf8"));
  const answer = await call("PaymentService/CreatePayment", {
    idempotencyKey,
    debtorAccountId: alice,
    creditorAccountId: bob,
    amount: { currencyCode: "EUR", amountMinor: "1" },
  }).catch(() => undefined);
  return answer?.ok ? answer.json() : undefined;
}

test("SIGTERM to npm answers what is under way, ends with 0 and leaves no process", async () => {
  const keys = Array.from({ length: 100 }, (_, n) => `drain-${n}`);
  const answers = keys.map((key) => payCent(key));
  await Promise.any(answers);
  service?.signal("SIGTERM");
  expect(await service?.ended).toMatchObject({ code: 0 });
  expect(groupLives(service?.pid ?? 0)).toBe(false);
  expect(existsSync(join(dataDir, "postgres", "data", "postmaster.pid"))).toBe(false);
  const done = await Promise.all(answers);
  settled = keys.filter((_, n) => done[n] !== undefined);
  expect(settled.length).toBeGreaterThan(0);
});

test("after a stop it has the same accounts, and every payment that was answered", async () => {
  banner = await npmStart();
  expect(await look(banner)).toMatchObject({
    balance: { postedMinor: String(101_000 + settled.length) },
  });
  for (const key of settled) {
    expect(await payCent(key)).toMatchObject({ replayed: true });
  }
  service?.signal("SIGTERM");
  await service?.ended;
});
