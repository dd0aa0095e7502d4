import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { Ajv } from "ajv";
import formats from "ajv-formats";
import { afterAll, describe, expect, test } from "vitest";
import { readConfig, SETTINGS } from "../../src/config.ts";
import { instancesIn, readComposeFile } from "../support/compose.ts";

const compose = readComposeFile();
const services = Object.entries(compose.services);
const instances = instancesIn(compose);
const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

/** What the Compose specification says against a file; nothing, if it's right. */
function complaints(file: object): string[] {
  const { $schema: _draft07, ...schema } = JSON.parse(
    readFileSync("test/support/vendor/compose-spec.json", "utf8"),
  );
  const ajv = new Ajv({ strict: false, allErrors: true });
  formats.default(ajv, ["duration", "uri"]);
  ajv.validate(schema, file);
  return (ajv.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

/** Runs the script of the job `secrets` in a folder, a new one unless it's given. */
function makeSecrets(folder = mkdtempSync(join(tmpdir(), "secrets-"))): Record<string, string> {
  folders.push(...(folders.includes(folder) ? [] : [folder]));
  execFileSync("sh", [resolve("deploy/compose/secrets.sh")], { cwd: folder });
  const there = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = there
    .filter((entry) => entry.isFile())
    .map(({ name, parentPath }) => relative(folder, join(parentPath, name)));
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(folder, path), "utf8")]));
}

test("docker-compose.yml is what the Compose specification allows", () => {
  expect(complaints(compose)).toEqual([]);
  const { payments } = compose.services;
  const misspelt = { services: { payments: { ...payments, enviroment: {} } } };
  expect(complaints(misspelt)).not.toEqual([]);
});

test("every role of the service runs twice, in one image of this version", () => {
  const roles = instances.map(([name, { image, environment, deploy }]) => ({
    role: environment?.["ROLES"],
    named: name === environment?.["ROLES"],
    image,
    replicas: deploy?.replicas,
  }));
  expect(roles.map(({ role }) => role).join()).toBe(SETTINGS.ROLES.default);
  expect(
    roles.every(({ named, replicas, image }) => {
      return named && replicas === 2 && image === `instant-payment:${version}`;
    }),
  ).toBe(true);
});

test("one service builds the image, from its own version, and nobody asks a registry for it", () => {
  const { image } = instances[0]![1];
  const users = services.filter(([, service]) => service.image === image);
  expect(services.filter(([, { build }]) => build).map(([name]) => name)).toEqual(["migrate"]);
  expect(users.filter(([, { pull_policy: policy }]) => policy !== "never")).toEqual([]);
  // So whatever is started of them, it's built before.
  const alone = instances.filter(
    ([, { depends_on: needs = {} }]) => needs["migrate"] === undefined,
  );
  expect(alone).toEqual([]);
  expect(compose.services["migrate"]!.build!.args).toEqual({
    VERSION: version,
    REVISION: "${REVISION:-unknown}",
  });
});

test("every image is one exact version", () => {
  expect(services.filter(([, { image }]) => !/:\d+\.\d+\.\d+|:18\.\d+-/.test(image))).toEqual([]);
});

test("the start order waits for health where there is a check, for jobs to their end", () => {
  const waits = services.flatMap(([name, { depends_on: needs = {} }]) =>
    Object.entries(needs).map(([needed, { condition }]) => ({ name, needed, condition })),
  );
  const wrong = waits.filter(({ needed, condition }) => {
    const { restart, healthcheck } = compose.services[needed]!;
    return restart === "unless-stopped"
      ? condition !== "service_healthy" || healthcheck?.test === undefined
      : condition !== "service_completed_successfully";
  });
  expect(wrong).toEqual([]);
  expect(waits).toContainEqual({
    name: "payments",
    needed: "migrate",
    condition: "service_completed_successfully",
  });
});

describe("Secrets", () => {
  const secrets = makeSecrets();

  test("no setting that is a secret stands in the file, only where to read it", () => {
    const named = instances.flatMap(([, { environment = {} }]) => Object.keys(environment));
    const secret = Object.entries(SETTINGS).filter(([, setting]) => "secret" in setting);
    const plain = secret.map(([name]) => name).filter((name) => named.includes(name));
    expect(plain).toEqual([]);
  });

  test("each container sees those that it needs and no others", () => {
    const seen = services.map(([name, { volumes = [] }]) => [
      name,
      volumes.flatMap((volume) => /^secrets-(.+):\/run\/secrets\/\1:ro$/.exec(volume)?.[1] ?? []),
    ]);
    expect(Object.fromEntries(seen)).toEqual({
      "load-balancer": [],
      payments: ["database", "redis", "admin"],
      accounts: ["database", "admin"],
      relay: ["database"],
      notifier: ["database"],
      scheduler: ["database", "redis"],
      migrate: ["database"],
      postgres: ["postgres"],
      redis: ["redis-server"],
      kafka: [],
      secrets: [], // It writes them.
    });
    const mounts = services.flatMap(([, { volumes = [] }]) => volumes);
    expect(mounts.filter((mount) => mount.startsWith("secrets-"))).toHaveLength(17);
  });

  test("each file of a secret that a setting names is made, and is where it's named", () => {
    const named = services.flatMap(([name, { environment = {} }]) =>
      Object.entries(environment)
        .filter(([setting]) => setting.endsWith("_FILE"))
        .map(([, file]) => ({ name, path: file.replace("/run/secrets/", "") })),
    );
    expect(named.length).toBeGreaterThan(0);
    const missing = named.filter(({ name, path }) => {
      const volume = `secrets-${dirname(path)}:/run/secrets/${dirname(path)}:ro`;
      return !secrets[path] || !compose.services[name]!.volumes?.includes(volume);
    });
    expect(missing).toEqual([]);
  });

  test("they're random, kept by later starts, and no file is left unfinished", () => {
    expect(makeSecrets(folders[0])).toEqual(secrets);
    const others = makeSecrets();
    expect(Object.keys(others)).toEqual(Object.keys(secrets));
    expect(Object.values(others).filter((one) => Object.values(secrets).includes(one))).toEqual([]);
    expect(Object.keys(secrets).filter((name) => name.endsWith(".new"))).toEqual([]);
    expect(secrets["admin/api-key"]).toMatch(/^[0-9a-f]{64}$/);
  });

  test("every instance's settings are ones that the service starts with", () => {
    for (const [name, { environment = {} }] of instances) {
      const unknown = Object.keys(environment).filter(
        (setting) => !Object.hasOwn(SETTINGS, setting.replace(/_FILE$/, "")),
      );
      expect([name, unknown]).toEqual([name, []]);
      const config = readConfig({ serving: true }, settingsIn(environment));
      expect(config.ROLES).toEqual([name]);
    }
  });

  /** As the image's container has them. */
  function settingsIn(environment: Readonly<Record<string, string>>): Record<string, string> {
    const there = Object.entries(environment).map(([name, value]) => [
      name,
      value.replace("/run/secrets", folders[0]!),
    ]);
    return { HOST: "0.0.0.0", ...Object.fromEntries(there) };
  }
});

test("PostgreSQL has connections for all instances and one more of each role", () => {
  const { command = [] } = compose.services["postgres"]!;
  const most = Number(/max_connections=(\d+)/.exec(command.join(" "))?.[1]);
  const perInstance = Number(SETTINGS.DATABASE_POOL_SIZE.default) + 5;
  expect(most).toBeGreaterThan(instances.length * 3 * perInstance);
});
