// The README as its readers use it: every command and sample of it, in order, in a fresh clone.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { startEmbeddedPostgres } from "../../src/platform/embedded-postgres.ts";
import { type Checkout, cloneWorkingTree } from "../support/checkout.ts";
import { type Sample, sectionsOf, untilItShows, withoutIds } from "../support/markdown-samples.ts";
import { freePort } from "../../src/platform/listen.ts";
import { startKafka, type KafkaService } from "../support/services/kafka.ts";
import { openTerminal, type Terminal } from "../support/terminal.ts";
import { installGrpcurl } from "../support/tools/grpcurl.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 }); // The first installs everything.

const sections = sectionsOf(await readFile("README.md", "utf8"));
const START = "npm start"; // It stays, in a terminal of its own.
const BANNER_END = /Admin key[^]*\n\n$/;

/** By the language of a sample that is to be put into a file. */
const FILES = ["js", "ts", "python"];

let kafka: KafkaService;
let checkout: Checkout;
let terminal: Terminal;
/** Of the README, and of this run. */
const addresses = new Map<string, string>();
const adminPort = await freePort();
let banner = "";

beforeAll(async () => {
  const grpcurl = await installGrpcurl();
  kafka = await startKafka({ own: true });
  checkout = await cloneWorkingTree();
  const port = String(await freePort());
  addresses.set("127.0.0.1:8080", `127.0.0.1:${port}`);
  addresses.set("127.0.0.1:8787", `127.0.0.1:${await freePort()}`);
  addresses.set("127.0.0.1:9092", kafka.brokers[0]!);
  addresses.set("127.0.0.1:5432", new URL(inject("postgresUrl")).host);
  terminal = openTerminal(checkout.folder, { PORT: port, ADMIN_PORT: String(adminPort) });
  await terminal.run(`PATH="$PATH:${join(grpcurl, "..")}"`);
});

afterAll(async () => {
  await terminal.close();
  await kafka.stop();
  await onPostgres("DROP DATABASE IF EXISTS payment WITH (FORCE); DROP ROLE IF EXISTS payment");
  // Whatever a failed test left: adopted and ended.
  const dataDir = join(checkout.folder, ".data");
  await (await startEmbeddedPostgres({ dataDir, database: "instant_payment" })).stop();
  await checkout.remove();
});

/** As it's written, but for the ports. */
function here(text: string): string {
  return [...addresses].reduce((done, [theirs, ours]) => done.replaceAll(theirs, ours), text);
}

/** Each statement by itself: a database isn't created in a transaction. */
async function onPostgres(statements: string): Promise<void> {
  const client = new Client({ connectionString: inject("postgresUrl") });
  await client.connect();
  try {
    for (const statement of statements.split(";")) await client.query(statement);
  } finally {
    await client.end();
  }
}

async function runShell({ text }: Sample): Promise<string> {
  const lines = here(text).split("\n");
  const output = await terminal.run(
    lines
      .filter((line) => line !== START)
      .map(untilItShows)
      .join("\n"),
  );
  if (lines.includes(START)) banner = await terminal.serve(START, BANNER_END);
  return output;
}

const followed = new Set<string>();

/** Does with each sample of a section what a reader does; what one answers, the next may show. */
async function follow(title: string): Promise<string> {
  followed.add(title);
  let answer = "";
  for (const sample of sections.find((section) => section.title === title)!.samples) {
    const { language, introduction } = sample;
    const text = here(sample.text);
    if (language === "sh") answer = await runShell(sample);
    else if (language === "sql") await onPostgres(text);
    else if (language === "text") expect(withoutIds(answer.trim())).toBe(withoutIds(text));
    else if (language === "json")
      expect(JSON.parse(withoutIds(answer))).toEqual(JSON.parse(withoutIds(text)));
    else if (FILES.includes(language)) {
      const [, path = ""] = /`(.*)`/.exec(introduction) ?? [];
      await writeFile(join(checkout.folder, path), text);
    } else throw new Error(`nobody tries a sample like this one:\n${language}\n${text}`);
  }
  return answer;
}

/** The README's command that has this in it. */
function commandWith(part: string): string {
  const commands = sections.flatMap(({ samples }) => samples);
  return here(commands.find(({ text }) => text.includes(part))!.text);
}

/** Copies every call out of the banner and runs it; returns what each answered. */
async function runBanner(): Promise<string[]> {
  const calls = banner
    .split("\n\n")
    .filter((paragraph) => /^(curl|grpcurl|npm|\() ?/.test(paragraph));
  const answers: string[] = [];
  for (const call of calls) answers.push(await terminal.run(call));
  return answers;
}

test("npm ci and npm start are enough for a fresh clone, on the host's own Node", async () => {
  const startedMs = performance.now();
  await follow("Start");
  expect(banner).toContain("Instant Payment API is up.");
  const seconds = Math.round((performance.now() - startedMs) / 1_000);
  const node = (await terminal.run("node --version")).trim();
  console.log(`fresh clone to ready to pay: ${seconds} s, on ${node}`);
});

test("the first payment settles by curl, grpcurl and SDK with the balances that are shown", async () => {
  await follow("The first payment");
});

test("sent again it's replayed; with another amount it's refused, naming the field", async () => {
  const command = commandWith("invoice-42");
  expect(JSON.parse(await terminal.run(command))).toMatchObject({
    payment: { status: "PAYMENT_STATUS_SETTLED", creditorBalanceAfterMinor: "101250" },
    replayed: true,
  });
  const other = `${command.replace('"1250"', '"1300"')} -w '%{stderr}%{http_code}' 2>&1`;
  const refused = await terminal.run(other);
  expect(refused).toMatch(/409$/);
  expect(JSON.parse(refused.slice(0, -3)).details[0].debug).toEqual({
    reason: "IDEMPOTENCY_KEY_REUSED",
    domain: "instantpayment",
    metadata: { field: "amount.amount_minor" },
  });
});

test("without money it's a payment that was rejected, with its reason", async () => {
  expect(JSON.parse(await follow("When there is no money"))).toMatchObject({
    payment: {
      status: "PAYMENT_STATUS_REJECTED",
      reason: "PAYMENT_REASON_INSUFFICIENT_FUNDS",
      reasonCode: "AM04",
    },
  });
});

test("a hold is captured and refunded; with a retry policy a payment waits for money", async () => {
  const refund = JSON.parse(await follow("Hold now, capture later"));
  const amount = { currencyCode: "EUR", amountMinor: "1500" };
  expect(refund.payment).toMatchObject({ status: "PAYMENT_STATUS_SETTLED", amount });
  const pending = JSON.parse(await follow("Try again by itself"));
  const attempts = [{ reasonCode: "AM04", nextAttemptTime: expect.any(String) }];
  expect(pending.payment).toMatchObject({ status: "PAYMENT_STATUS_PENDING", attempts });
});

test("an account is opened as shown, a payment watched to its end and an account for a while", async () => {
  await follow("Accounts");
  expect(await follow("Watch it live")).toContain('"postedMinor"');
});

test("an owner's key is made as shown, and finds nothing of another owner", async () => {
  await follow("Callers and their keys");
});

test("the reference, the document and the operations' pages are where it says", async () => {
  const api = addresses.get("127.0.0.1:8080");
  const pages = [`${api}/swagger-ui.html`, `${api}/v3/api-docs`];
  const operations = ["livez", "readyz", "metrics"].map((page) => `127.0.0.1:${adminPort}/${page}`);
  for (const page of [...pages, ...operations]) {
    expect([page, (await fetch(`http://${page}`)).status]).toEqual([page, 200]);
  }
});

test("the calls of the banner pay as they're copied, at the first start and at a later one", async () => {
  const settled = expect.stringContaining("PAYMENT_STATUS_SETTLED");
  const bySdk = expect.stringMatching(/^SETTLED \d+\.\d\d \d+\.\d\d\n$/);
  const expected = (posted: string) => [
    settled,
    settled,
    expect.any(String),
    bySdk,
    expect.stringContaining(`"postedMinor":"${posted}"`),
  ];
  expect(await runBanner()).toEqual(expected("106750"));
  await terminal.stopServing();
  banner = await terminal.serve(START, BANNER_END);
  expect(banner).not.toContain("shown once");
  expect(await runBanner()).toEqual(expected("109750"));
  await terminal.stopServing();
});

test("with Kafka the events of all payments so far are read by the CLI, TypeScript and Python", async () => {
  const answers = await follow("Events in Kafka");
  expect(answers).toMatch(/^PAYMENT_EVENT_TYPE_SETTLED \d+ EUR [0-9a-f-]{36}$/m);
  expect(await terminal.run("npx instant-payment events tail --limit 3")).toMatch(
    /^(\S+ [A-Z_ ]+ \d+ EUR .*\n){3}$/,
  );
  await terminal.stopServing();
});

test("a webhook is sent, verified by the SDK, and in the log of deliveries", async () => {
  await follow("Webhooks");
  const log = () => terminal.run(commandWith("ListWebhookDeliver"));
  await expect.poll(log, { timeout: 60_000 }).toContain("_DELIVERED");
  await terminal.stopServing();
});

test("run for real, it migrates, serves and verifies a database of one's own", async () => {
  await follow("Run it for real");
  await terminal.run("KEY=$ADMIN_API_KEY");
  expect(JSON.parse(await terminal.run(commandWith("OVERDRAFT_MODE_UNBOUNDED")))).toMatchObject({
    account: { ownerId: "bank" },
  });
  expect(await terminal.run("npx instant-payment verify")).toContain("1 accounts");
  await terminal.stopServing();
});

test("the commands for developers are those that the continuous integration runs", async () => {
  followed.add("Run the parts apart").add("Develop"); // The former by topology.test.ts.
  const { samples } = sections.find(({ title }) => title === "Develop")!;
  const ci = (await readFile(".ci/run", "utf8")).replaceAll(" --silent", "");
  const commands = samples
    .flatMap(({ text }) => text.split("\n"))
    .map((line) => line.split(" #")[0]);
  expect(commands.length).toBeGreaterThan(0);
  for (const command of commands) expect(ci).toContain(` ${command!.trim()} `.trimEnd());
});

test("the SDK's README installs it by the command that was run here", async () => {
  const sdk = sectionsOf(await readFile("sdk/README.md", "utf8")).flatMap(({ samples }) => samples);
  const commands = sdk.filter(({ language }) => language === "sh").map(({ text }) => text);
  expect(commands).toEqual([commandWith("npm pack")]);
});

test("no sample of it is left untried, but for the picture", () => {
  expect(sections.map(({ title }) => title)).toEqual(["", ...followed]);
  expect(sections[0]?.samples.map(({ language }) => language)).toEqual([""]);
});
