// A start that fails, for whatever reason, says so in a line and with its exit code.
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startEmbeddedPostgres } from "../../src/platform/embedded-postgres.ts";
import { createMigratedDatabase } from "../support/ledger.ts";
import { type Ended, run } from "../support/service-process.ts";
import { runSql } from "../support/sql.ts";

const KEY = "k".repeat(32);
// Each starts several processes, and the machine may be busy.
vi.setConfig({ testTimeout: 90_000 });

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "instant-payment-unforeseen-"));
  await chmod(directory, 0o711);
});

afterAll(() => rm(directory, { recursive: true }));

function start(settings: Readonly<Record<string, string>>): Promise<Ended> {
  const ports = { PORT: "0", ADMIN_PORT: "0" };
  return run([process.execPath, "src/main.ts"], { ...ports, ...settings }).ended;
}

function instantPayment(command: string, settings: Readonly<Record<string, string>>) {
  return run([process.execPath, "src/cli/instant-payment.ts", command], settings).ended;
}

/** Whoever owns nothing in the database may connect to it all the same. */
async function withStranger(work: (url: string) => Promise<void>): Promise<void> {
  const { url, drop } = await createMigratedDatabase();
  const role = `stranger_${process.pid}`;
  await runSql(url, `create role ${role} login password 'sesame'`);
  const stranger = new URL(url);
  stranger.username = role;
  stranger.password = "sesame";
  await work(stranger.href);
  await drop();
  await runSql(url.replace(/[^/]*$/, "postgres"), `drop role ${role}`);
}

test("a role without rights is told in one line that it must own the database", async () => {
  await withStranger(async (url) => {
    const settings = { DATABASE_URL: url, ADMIN_API_KEY: KEY };
    const [served, migrated, verified] = await Promise.all([
      start(settings),
      instantPayment("migrate", settings),
      instantPayment("verify", settings),
    ]);
    for (const { code, stdout, stderr } of [served, migrated, verified]) {
      expect({ code, stdout }).toEqual({ code: 69, stdout: "" });
      expect(stderr).toMatch(
        /^instant-payment: the database refuses us \(.*permission denied for .*\): .* own .*\n$/,
      );
    }
  });
});

test("what nobody foresaw is one line and a failure, of the service as of every command", async () => {
  const { url, drop } = await createMigratedDatabase();
  await runSql(url, "alter table schema_migration rename column name to title");
  const settings = { DATABASE_URL: url, ADMIN_API_KEY: KEY };
  const more = { LOG_LEVEL: "debug", KAFKA_BROKER: "kafka:9092" };
  const [served, migrated, verified, detailed] = await Promise.all([
    start(settings),
    instantPayment("migrate", settings),
    instantPayment("verify", settings),
    instantPayment("verify", { ...settings, ...more }),
  ]);
  await drop();
  for (const { code, stdout, stderr } of [served, migrated, verified]) {
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^instant-payment: failed: .+ \(LOG_LEVEL=debug tells where\)\n$/);
  }
  expect(served.stderr).toContain('column "name" does not exist');
  expect(detailed.stderr).toMatch(/^instant-payment: unknown setting KAFKA_BROKER: did you mean/);
  expect(detailed.stderr).toMatch(/does not exist\n +at /);
});

test("a data directory that is none, or is damaged, is told with what to do", async () => {
  const half = join(directory, "half");
  await mkdir(join(half, "postgres", "data"), { recursive: true });
  await chmod(half, 0o711);
  await chmod(join(half, "postgres"), 0o755);
  await writeFile(join(half, "postgres", "data", "PG_VERSION"), "18\n");
  const damagedKey = join(directory, "damaged-key");
  await mkdir(damagedKey);
  await writeFile(join(damagedKey, "admin-key"), "");
  const [none, proc, halfMade, keyless] = await Promise.all([
    start({ DATA_DIR: "/dev/null" }),
    start({ DATA_DIR: "/proc/x/y" }),
    start({ DATA_DIR: half }),
    start({ DATA_DIR: damagedKey }),
  ]);
  for (const [{ code, stderr }, reason] of [
    [proc, "/proc/x/y can't be made: set DATA_DIR to a directory that we can write to"],
    [none, "/dev/null is no directory: set DATA_DIR to one"],
    [
      halfMade,
      `${half}/postgres/data is no whole PostgreSQL, it has no superuser-password: restore it`,
    ],
    [keyless, `${damagedKey}/admin-key is damaged: restore it, or remove it`],
  ] as const) {
    expect(stderr.startsWith(`instant-payment: ${reason}`), stderr).toBe(true);
    expect({ code, lines: stderr.trimEnd().split("\n").length }).toEqual({ code: 69, lines: 1 });
  }
});

test("an empty list of the demo's accounts is told, and without it there are new ones", async () => {
  const dataDir = join(directory, "demo");
  await mkdir(dataDir);
  await chmod(dataDir, 0o711);
  const file = join(dataDir, "demo.json");
  await writeFile(file, "");
  const { code, stderr } = await start({ DATA_DIR: dataDir, LOG_LEVEL: "warn" });
  expect({ code, stderr }).toEqual({
    code: 69,
    stderr:
      `instant-payment: ${file} is damaged: restore it, or remove it, ` +
      "and the next start makes a new one\n",
  });
  await rm(file);
  const keyed = { DATA_DIR: dataDir, PORT: "0", ADMIN_PORT: "0", ADMIN_API_KEY: KEY };
  const settings = { ...keyed, DATABSE_URL: "postgresql://u:sesame@h/d" };
  const service = run([process.execPath, "src/main.ts", "--json"], settings);
  const { demo } = JSON.parse(await service.printed("}\n"));
  service.signal("SIGTERM");
  const ended = await service.ended;
  expect(ended.code).toBe(0);
  // Whoever sets a key of their own may believe that they've set the database too.
  expect(ended.stderr).toContain(`"level":"warn"`);
  expect(ended.stderr).toContain("no DATABASE_URL: the ledger is on this machine's disk");
  expect(ended.stderr).toContain("unknown setting DATABSE_URL: did you mean DATABASE_URL?");
  expect(ended.stderr).not.toContain("sesame");
  expect(ended.stderr).toContain(`"database":"embedded ${dataDir}","msg":"serving"`);
  expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ alice: demo.accounts.alice });
  // Whatever a failed start left: adopted and ended.
  await (await startEmbeddedPostgres({ dataDir, database: "instant_payment" })).stop();
});
