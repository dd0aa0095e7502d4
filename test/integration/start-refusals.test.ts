import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Ended, run } from "../support/service-process.ts";
import { createMigratedDatabase } from "../support/ledger.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { runSql } from "../support/sql.ts";

const KEY = "k".repeat(32);
// Each starts several processes, and the machine may be busy.
vi.setConfig({ testTimeout: 90_000 });

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "instant-payment-refusals-"));
  await chmod(directory, 0o711);
});

afterAll(() => rm(directory, { recursive: true }));

/** What a start says that can't succeed. */
function npmStart(settings: Record<string, string>): Promise<Ended> {
  const dataDir = join(directory, ".data");
  return run(["npm", "start"], { DATA_DIR: dataDir, PORT: "0", ADMIN_PORT: "0", ...settings })
    .ended;
}

function instantPayment(args: string[], settings: Record<string, string> = {}): Promise<Ended> {
  return run(["npx", "--no", "--", "instant-payment", ...args], settings).ended;
}

test("taken ports are named, each in a line, before anything is done", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const { code, stderr } = await npmStart({ PORT: String(port) });
  taken.close();
  expect(code).toBe(69);
  expect(stderr).toBe(`instant-payment: port ${port} on 127.0.0.1 is taken: free it or set PORT\n`);
});

test("an address that isn't this machine's is told once", async () => {
  // Of the block that is for documents: nobody has it.
  const { code, stderr } = await npmStart({ HOST: "192.0.2.1", TRUST_PROXY: "true" });
  expect({ code, stderr }).toEqual({
    code: 69,
    stderr: "instant-payment: 192.0.2.1 is no address of this machine: set HOST\n",
  });
});

test("all wrong settings are named at once", async () => {
  const { code, stderr } = await npmStart({ PORT: "http", LOG_LEVEL: "loud", HOST: "a b" });
  expect(code).toBe(78);
  expect(stderr.trimEnd().split("\n")).toEqual([
    expect.stringMatching(/^instant-payment: PORT must be a whole number/),
    expect.stringMatching(/^instant-payment: HOST must be an address/),
    expect.stringMatching(/^instant-payment: LOG_LEVEL must be one of/),
  ]);
});

test("an address that others can reach is refused without TLS", async () => {
  const { code, stderr } = await npmStart({ HOST: "0.0.0.0" });
  expect(code).toBe(78);
  expect(stderr).toMatch(/^instant-payment: HOST 0\.0\.0\.0 can be reached by others: .*\n$/);
});

test("AUTH=none where others can reach it is refused, naming the flag, which then lets it start", async () => {
  const settings = { HOST: "0.0.0.0", AUTH: "none", TRUST_PROXY: "true" };
  const { code, stderr } = await npmStart(settings);
  expect(code).toBe(78);
  expect(stderr).toMatch(/^instant-payment: HOST 0\.0\.0\.0 .*--insecure-allow-no-auth\n$/);
  const { url, drop } = await createMigratedDatabase();
  // On the loopback, where the flag is of no use but is taken.
  const service = run(["npm", "start", "--", "--json", "--insecure-allow-no-auth"], {
    AUTH: "none",
    DATABASE_URL: url,
    PORT: "0",
    ADMIN_PORT: "0",
  });
  const { apiUrl } = JSON.parse((await service.printed("}\n")).split("\n").at(-2) ?? "");
  const list = `${apiUrl}/instantpayment.v1.AccountService/ListAccounts`;
  const headers = { "content-type": "application/json" };
  expect((await fetch(list, { method: "POST", headers, body: "{}" })).status).toBe(200);
  service.signal("SIGTERM");
  expect((await service.ended).stderr).toContain("every caller is the administrator");
  await drop();
});

test("a database that can't be reached or refuses us is told in one line without the password", async () => {
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address() as AddressInfo;
  free.close();
  await once(free, "close");
  const gone = `postgresql://me:sesame@127.0.0.1:${port}/bank`;
  const { url, drop } = await createTestDatabase();
  const wrong = new URL(url);
  wrong.password = "sesame";
  const without = new URL(url);
  without.password = "";
  const [unreachable, refused, passwordless] = await Promise.all([
    npmStart({ DATABASE_URL: gone, ADMIN_API_KEY: KEY }),
    instantPayment(["migrate"], { DATABASE_URL: wrong.href }),
    instantPayment(["migrate"], { DATABASE_URL: `${without.href}?sslmode=disable` }),
  ]);
  await drop();
  expect(unreachable.code).toBe(69);
  expect(unreachable.stderr).toBe(
    `instant-payment: the database at 127.0.0.1:${port}/bank can't be reached ` +
      `(connect ECONNREFUSED 127.0.0.1:${port}): check DATABASE_URL\n`,
  );
  expect(passwordless).toMatchObject({
    code: 69,
    stderr:
      `instant-payment: the database at ${without.host}${without.pathname} asks for a password, ` +
      "and DATABASE_URL has none\n",
  });
  expect(refused.code).toBe(69);
  expect(refused.stderr).toMatch(
    /^instant-payment: the database at \S+ refuses us \(password authentication failed.*\n$/,
  );
});

test("sslmode=require is what pg makes of it, verify-full, without its warning", async () => {
  const { url, drop } = await createTestDatabase();
  const { code, stderr } = await instantPayment(["migrate"], {
    DATABASE_URL: `${url}?sslmode=require`,
  });
  await drop();
  expect(code).toBe(69);
  expect(stderr).toMatch(
    /^instant-payment: .* can't be reached \(The server does not support SSL connections\): .*\n$/,
  );
});

test.each(["LATIN1", "SQL_ASCII"])(
  "a database in %s, which hasn't every letter, is refused before it's migrated",
  async (encoding) => {
    const { url, drop } = await createTestDatabase();
    const name = `${new URL(url).pathname.slice(1)}_${encoding.toLowerCase()}`;
    const how = `encoding '${encoding}' locale 'C' template template0`;
    await runSql(url, `create database ${name} ${how}`);
    const other = new URL(url);
    other.pathname = name;
    const settings = { DATABASE_URL: other.href, ADMIN_API_KEY: KEY };
    const [served, migrated] = await Promise.all([
      npmStart({ ...settings, MIGRATE: "auto" }),
      instantPayment(["migrate"], settings),
    ]);
    for (const { code, stderr } of [served, migrated]) {
      expect({ code, stderr }).toEqual({
        code: 69,
        stderr:
          `instant-payment: the database at ${other.host}/${name} is encoded in ${encoding}, UTF8 ` +
          "is needed: make one with CREATE DATABASE name ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0\n",
      });
    }
    await runSql(url, `drop database ${name}`);
    await drop();
  },
);

test("an unmigrated database is refused with the command to run, which then helps", async () => {
  const { url, drop } = await createTestDatabase();
  const settings = { DATABASE_URL: url, ADMIN_API_KEY: KEY };
  const refused = await npmStart(settings);
  expect(refused.code).toBe(69);
  expect(refused.stderr).toContain('run "npx instant-payment migrate"');
  expect(refused.stderr.trimEnd()).not.toContain("\n");

  const first = await instantPayment(["migrate", "--json"], { DATABASE_URL: url });
  expect(JSON.parse(first.stdout)).toEqual({ migrations: expect.arrayContaining(["0001-first"]) });
  const second = await instantPayment(["migrate"], { DATABASE_URL: url });
  expect(second).toMatchObject({ code: 0, stdout: "the database is up to date\n", stderr: "" });

  const service = run(["npm", "start", "--", "--json"], {
    ...settings,
    PORT: "0",
    ADMIN_PORT: "0",
  });
  const facts = JSON.parse((await service.printed("}\n")).split("\n").at(-2) ?? "");
  expect(facts).not.toHaveProperty("demo");
  const list = `${facts.apiUrl}/instantpayment.v1.AccountService/ListAccounts`;
  const post = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
  expect((await fetch(list, post)).status).toBe(401);
  const headers = { ...post.headers, authorization: `Bearer ${KEY}` };
  expect(await (await fetch(list, { ...post, headers })).json()).toMatchObject({ accounts: [] });
  service.signal("SIGTERM");
  const { code, stderr } = await service.ended;
  expect(code).toBe(0);
  const { host, pathname, password } = new URL(url);
  expect(stderr).toMatch(new RegExp(`"database":"${host}${pathname}","msg":"serving"`));
  expect(stderr).not.toContain(password);
  expect(stderr).not.toContain("no DATABASE_URL");
  await drop();
});

test("a Node that is too old is told in one line", async () => {
  const { scripts } = JSON.parse(await readFile("package.json", "utf8"));
  const pretend = `data:text/javascript,Object.defineProperty(process,"versions",{value:{node:"20.9.0"}})`;
  const command = scripts.start.replace("exec node", `exec node --import '${pretend}'`);
  const { code, stderr } = await run(["sh", "-c", command], {}).ended;
  expect({ code, stderr }).toEqual({
    code: 78,
    stderr: "instant-payment: Node 24 or newer is needed, this is 20.9.0\n",
  });
});
