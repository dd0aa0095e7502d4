// The image as `npm run image` builds it, and containers of it, without a Docker engine. The bases
// are stand-ins under the official names: see stand-in-base.ts.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createInstantPayment } from "../../sdk/src/node.ts";
import { readComposeFile } from "../support/compose.ts";
import { freePort } from "../../src/platform/listen.ts";
import { openTwentyAccounts } from "../support/hammer.ts";
import { expectInvariants, expectStored } from "../support/invariants.ts";
import { openLedger } from "../support/ledger.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { PATTERNS, startPaymentLoad } from "../support/payment-load.ts";
import { paySdk } from "../support/sdk-load.ts";
import { openPodman, type Podman } from "../support/services/podman.ts";
import { runSql } from "../support/sql.ts";
import { makeStandInBases } from "../support/stand-in-base.ts";

// Podman is installed if it isn't there, and the machine may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 });

const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
const IMAGE = `instant-payment:${version}`;
// As docker-compose.yml runs it.
const { payments } = readComposeFile().services;
const GRACE_S = Number.parseInt(payments!.stop_grace_period!, 10);
const MEMORY = payments!.deploy!.resources!.limits!.memory;
const CONFINED = [
  ...(payments!.read_only ? ["--read-only"] : []),
  ...payments!.cap_drop!.map((name) => `--cap-drop=${name}`),
  ...payments!.security_opt!.map((option) => `--security-opt=${option.replace(":true", "")}`),
  `--user=${payments!.user}`,
  `--memory=${MEMORY}`,
  `--memory-swap=${MEMORY}`,
];

let podman: Podman;
let database: TestDatabase;
let secrets: string;

beforeAll(async () => {
  secrets = mkdtempSync(join(tmpdir(), "image-secrets-"));
  chmodSync(secrets, 0o755); // For the image's user.
  [podman, database] = await Promise.all([openPodman(), createTestDatabase()]);
  const dockerfile = readFileSync("deploy/image/Dockerfile", "utf8");
  const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, name = ""]) => name);
  expect(bases).toHaveLength(2);
  await makeStandInBases(podman, bases);
  const built = spawnSync("npm", ["run", "image", "--", "--pull=never", "--network=host"], {
    env: { ...process.env, ...podman.environment, CONTAINER_ENGINE: "podman" },
    encoding: "utf8",
  });
  if (built.status !== 0) throw new Error(built.stdout + built.stderr);
  writeFileSync(join(secrets, "database-url"), database.url);
  writeFileSync(join(secrets, "admin-api-key"), "an-administrators-key-that-tests-use");
});

afterAll(async () => {
  await podman?.remove();
  await database?.drop();
  rmSync(secrets, { recursive: true });
});

/** Options for settings, with the secrets in files. */
const settings = (more: Readonly<Record<string, string>> = {}) => [
  `--volume=${secrets}:/run/secrets:ro`,
  ...Object.entries({
    DATABASE_URL_FILE: "/run/secrets/database-url",
    ADMIN_API_KEY_FILE: "/run/secrets/admin-api-key",
    TRUST_PROXY: "true",
    ...more,
  }).map(([name, value]) => `--env=${name}=${value}`),
];

test("it has labels, a user that isn't root, and nothing that only development needs", async () => {
  const [{ Config: config }] = JSON.parse(await podman.output("inspect", IMAGE));
  expect(config.User).toBe("1000:1000");
  expect(config.StopSignal).toBe("SIGTERM");
  expect(config.Labels).toMatchObject({
    "org.opencontainers.image.title": "Instant Payment API",
    "org.opencontainers.image.licenses": "Apache-2.0",
    "org.opencontainers.image.version": version,
    "org.opencontainers.image.revision": expect.stringMatching(/^[0-9a-f]{40}(-dirty)?$|^unknown$/),
  });
  const find = ["run", "--rm", "--entrypoint=find", IMAGE];
  const files = (await podman.output(...find, "/app", "-type", "f")).split("\n");
  const packages = files.flatMap(
    (file) => /node_modules\/((@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? [],
  );
  expect(packages).toEqual(expect.arrayContaining(["@mikro-orm/core", "kafkajs", "pg"]));
  const { devDependencies, optionalDependencies } = JSON.parse(
    readFileSync("package.json", "utf8"),
  );
  const unneeded = Object.keys({ ...devDependencies, ...optionalDependencies });
  expect(
    packages.filter((name) => unneeded.includes(name) || name.startsWith("@embedded")),
  ).toEqual([]);
  expect(files.filter((file) => /\.(map|d\.[cm]?ts)$/.test(file))).toEqual([]);
  expect(files.filter((file) => /^\/app\/(test|bench|sdk|\.git)\//.test(file))).toEqual([]);
  const layers: { readonly CreatedBy: string; readonly size: number }[] = JSON.parse(
    await podman.output("history", "--format=json", IMAGE),
  );
  const bytes = layers.filter(({ CreatedBy: by }) => by.includes("COPY")).map(({ size }) => size);
  const megabytes = bytes.reduce((sum, layer) => sum + layer, 0) / 1e6;
  console.log(`the image adds ${megabytes.toFixed(0)} MB to its base`);
  expect(megabytes).toBeGreaterThan(100); // Node alone is.
  expect(megabytes).toBeLessThan(200);
});

test("without settings that it needs it says in one line each what to set", async () => {
  const [bare, alone] = await Promise.all([
    podman.run("run", "--rm", ...CONFINED, IMAGE),
    podman.run("run", "--rm", ...CONFINED, "--env=TRUST_PROXY=true", IMAGE),
  ]);
  expect(bare).toMatchObject({ code: 78, stdout: "" });
  expect(bare.stderr).toMatch(/^instant-payment: HOST 0.0.0.0 can be reached by others: set .*\n$/);
  expect(alone).toMatchObject({ code: 69, stdout: "" });
  expect(alone.stderr).toMatch(/^instant-payment: .*set DATABASE_URL.*\n$/);
});

test("read-only, with 256 MB and without privileges it migrates, serves, and stops under load without losing a call", async () => {
  const migrated = await podman.run("run", "--rm", ...CONFINED, ...settings(), IMAGE, "migrate");
  expect(migrated).toMatchObject({ code: 0, stdout: expect.stringMatching(/^migrated: /) });
  const [port, adminPort] = [await freePort(), await freePort()];
  const ports = { PORT: String(port), ADMIN_PORT: String(adminPort), SHUTDOWN_DELAY_MS: "500" };
  await podman.output("run", "--detach", "--name=one", ...CONFINED, ...settings(ports), IMAGE);
  const inside = (...command: string[]) => podman.run("exec", "one", ...command);
  const ready = async () => (await inside("node", "probe.js", "readyz")).code === 0;
  await vi.waitUntil(ready, { timeout: 60_000, interval: 200 });
  expect((await podman.run("healthcheck", "run", "one")).code).toBe(0);
  expect((await inside("id", "-u")).stdout).toBe("1000\n");
  expect((await inside("cat", "/proc/1/cmdline")).stdout).toMatch(
    /^node\0--max-semi-space-size=16\0src\//,
  );
  expect((await inside("node", "-p", "process.constrainedMemory()")).stdout).toBe(
    `${256 * 2 ** 20}\n`,
  );
  const written = await inside("node", "-e", "fs.writeFileSync('/x', '')");
  expect(written.stderr).toContain("EROFS");

  const ledger = await openLedger(database.url);
  const accountIds = await openTwentyAccounts(ledger);
  const client = createInstantPayment({
    baseUrl: `http://127.0.0.1:${port}`,
    apiKey: "an-administrators-key-that-tests-use",
    retry: { maxAttempts: 1 },
  });
  let calls = 0;
  const pattern = () => PATTERNS[calls++ % PATTERNS.length]!;
  const load = startPaymentLoad({ pay: paySdk(client), accountIds, callers: 64, pattern });
  await vi.waitUntil(() => load.answers.length > 2_000, { timeout: 60_000 });
  expect(load.failures.map(({ error }) => error.message)).toEqual([]);
  const memory = /VmHWM:\s+(\d+) kB/.exec((await inside("cat", "/proc/1/status")).stdout);

  const stopMs = performance.now();
  const stopped = await podman.output("stop", `--time=${GRACE_S}`, "one");
  const tookMs = performance.now() - stopMs;
  await load.stop();
  expect(stopped).toBe("one");
  const state = JSON.parse(await podman.output("inspect", "--format={{json .State}}", "one"));
  expect(state).toMatchObject({ ExitCode: 0, OOMKilled: false });
  expect(tookMs).toBeLessThan(GRACE_S * 1_000);
  expect(load.failures.length).toBeGreaterThan(0); // Calls were made until it was gone.
  // Whoever got no payment as answer has none.
  const keys = load.failures.map(({ idempotencyKey }) => idempotencyKey);
  const text = "select key from idempotency_key where key = any($1)";
  expect(await runSql(database.url, text, [keys])).toEqual([]);
  await expectStored(database.url, load.answers);
  await expectInvariants(database.url);
  await ledger.close();
  console.log(
    `${load.answers.length} payments, ${Number(memory?.[1]) >> 10} MiB at most, ` +
      `stopped in ${Math.round(tookMs)} ms, ${keys.length} calls refused`,
  );
});
