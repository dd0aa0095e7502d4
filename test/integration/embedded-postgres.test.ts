import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from "../../src/platform/embedded-postgres.ts";

const asRoot = process.getuid?.() === 0;
let directory: string;
let dataDir: string;
const running: EmbeddedPostgres[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "instant-payment-embedded-"));
  await chmod(directory, 0o711);
  dataDir = join(directory, "data");
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((postgres) => postgres.stop()));
  await rm(directory, { recursive: true });
});

async function start(options: { share?: boolean } = {}): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({
    dataDir,
    database: "app",
    settings: { fsync: "off" },
    relocateTo: join(directory, "relocated"),
    ...options,
  });
  running.push(postgres);
  return postgres;
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Starts it in a process of its own, as the service does, and kills that one with SIGKILL. */
async function startAndKill(): Promise<string> {
  const module = new URL("../../src/platform/embedded-postgres.ts", import.meta.url).href;
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(module)};
    const options = { dataDir: ${JSON.stringify(dataDir)}, database: "app" };
    console.log((await startEmbeddedPostgres(options)).url);
  `;
  const child = spawn("node", ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout.setEncoding("utf8"), "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  return String(line).trim();
}

test("what was written stays over a stop and a start", async () => {
  const first = await start();
  await query(first.url, "CREATE TABLE t AS SELECT 7 AS id");
  await first.stop();
  await expect(query(first.url, "SELECT 1")).rejects.toThrow("ECONNREFUSED");
  const second = await start();
  expect(await query(second.url, "SELECT id FROM t")).toEqual([{ id: 7 }]);
});

test("a server that a killed process left behind is adopted and can be stopped", async () => {
  const left = await startAndKill();
  await query(left, "CREATE TABLE t AS SELECT 7 AS id");
  const adopted = await start();
  expect(adopted.url).toBe(left);
  expect(await query(adopted.url, "SELECT id FROM t")).toEqual([{ id: 7 }]);
  await adopted.stop();
  await expect(query(left, "SELECT 1")).rejects.toThrow("ECONNREFUSED");
});

test("a directory in use is refused, or shared and then not stopped", async () => {
  const owner = await start();
  await expect(start()).rejects.toThrow(`${dataDir} is in use by another instance`);
  const guest = await start({ share: true });
  expect(guest.url).toBe(owner.url);
  await guest.stop();
  expect(await query(owner.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
});

test("it asks for a password, listens on 127.0.0.1 only and keeps its promises by default", async () => {
  const postgres = await startEmbeddedPostgres({ dataDir, database: "app" });
  running.push(postgres);
  const { url } = postgres;
  const settings = await query(
    url,
    `SELECT name, setting FROM pg_settings
     WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'listen_addresses',
                    'unix_socket_directories')
     ORDER BY name`,
  );
  expect(settings).toEqual([
    { name: "fsync", setting: "on" },
    { name: "full_page_writes", setting: "on" },
    { name: "listen_addresses", setting: "127.0.0.1" },
    { name: "synchronous_commit", setting: "on" },
    { name: "unix_socket_directories", setting: "" },
  ]);
  const wrong = new URL(url);
  wrong.password = "guess";
  await expect(query(wrong.href, "SELECT 1")).rejects.toThrow("password authentication failed");
  const password = await stat(join(dataDir, "postgres", "data", "superuser-password"));
  expect(password.mode & 0o777).toBe(0o600);
});

test("a stale pid file that names a living process of another kind is no obstacle", async () => {
  const first = await start();
  const pidFile = join(dataDir, "postgres", "data", "postmaster.pid");
  const content = await readFile(pidFile, "utf8");
  await first.stop();
  await writeFile(pidFile, content.replace(/^\d+/, String(process.pid)));
  const second = await start();
  expect(await query(second.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
});

test("root whose directory nobody else can enter gets a cluster elsewhere, linked", async () => {
  await chmod(directory, 0o700);
  const relocated = await mkdtemp(join(tmpdir(), "instant-payment-relocated-"));
  await chmod(relocated, 0o711);
  try {
    const options = { dataDir, database: "app", relocateTo: relocated };
    const first = await startEmbeddedPostgres(options);
    await first.stop();
    const second = await startEmbeddedPostgres(options);
    running.push(second);
    expect(await query(second.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    const home = await realpath(join(dataDir, "postgres"));
    expect(home.startsWith(asRoot ? relocated : directory)).toBe(true);
    await second.stop();
  } finally {
    await rm(relocated, { recursive: true });
  }
});
