import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../src/platform/listen.ts";
import { instancesIn, readComposeFile } from "./compose.ts";
import { type DnsServer, startDnsServer } from "./dns-server.ts";
import { groupLives, run, type ServiceProcess } from "./service-process.ts";
import { aptProgram } from "./services/apt.ts";
import { type KafkaService, startKafka } from "./services/kafka.ts";
import { type PostgresService, startPostgres } from "./services/postgres.ts";
import { startProcess } from "./services/process-service.ts";
import { type RedisService, startRedis } from "./services/redis.ts";
import type { Service } from "./services/service.ts";
import { runSql } from "./sql.ts";

/** What docker-compose.yml describes, as processes of this machine. */
export interface Topology {
  /** Where callers get in. */
  readonly url: string;
  readonly adminKey: string;
  readonly databaseUrl: string;
  readonly postgres: PostgresService;
  readonly redis: RedisService;
  readonly kafka: KafkaService;
  readonly loadBalancer: Service;
  /** Replicas by the service's name. */
  readonly roles: ReadonlyMap<string, readonly Replica[]>;
  /** A load balancer more, with the configuration changed. */
  readonly startLoadBalancer: (
    change: (text: string) => string,
  ) => Promise<Service & { url: string }>;
  readonly stop: () => Promise<void>;
}

/** One container of a service, were it one. */
export interface Replica {
  /** Waits until it's ready. */
  readonly start: () => Promise<void>;
  /** `kill -9` */
  readonly kill: () => Promise<void>;
  /** SIGTERM, and waits until it has ended by itself; its exit code. */
  readonly stop: () => Promise<number | null>;
}

const READY_MS = 60_000;
const CONFIGURATION = "deploy/compose/haproxy.cfg";
const OWNER = "deploy/compose/owner.sql";

/**
 * Starts all services of docker-compose.yml with the commands, environment and files that stand
 * there; only addresses are others. A service's name leads by DNS to the addresses of its replicas,
 * as it does among containers.
 */
export async function startTopology(): Promise<Topology> {
  const compose = readComposeFile();
  const secrets = mkdtempSync(join(tmpdir(), "topology-"));
  execFileSync("sh", [resolve("deploy/compose/secrets.sh")], { cwd: secrets });
  chmodSync(secrets, 0o755); // PostgreSQL is another user.
  const secret = (path: string) => readFileSync(join(secrets, path), "utf8").trim();
  const { postgres: database, kafka: broker } = compose.services;
  const outsidePort = await freePort();
  const [dns, postgres, redis, kafka] = await Promise.all([
    startDnsServer(),
    startPostgres(database?.command?.filter((word) => word.includes("="))),
    startRedis({
      own: true,
      password: /requirepass (.+)/.exec(secret("redis-server/redis.conf"))![1]!,
    }),
    startKafka({
      own: true,
      settings: ({ host, port, controllerPort }) =>
        brokerSettingsOf(broker?.environment ?? {}, [
          ["0.0.0.0:19092", `${host}:${port}`],
          ["kafka:19092", `127.0.0.1:${port}`],
          ["0.0.0.0:9092", `127.0.0.1:${outsidePort}`],
          ["127.0.0.1:9092", `127.0.0.1:${outsidePort}`],
          ["127.0.0.1:29093", `127.0.0.1:${controllerPort}`],
        ]),
    }),
  ]);
  const name = database?.environment?.["POSTGRES_DB"] ?? "";
  await runSql(postgres.url, `create database ${name}`);
  const owner = readFileSync(OWNER, "utf8").replaceAll("/run/secrets", secrets);
  await runSql(new URL(`/${name}`, postgres.url).href, owner);
  for (const [path, there, here] of [
    ["database/url", "postgres:5432", new URL(postgres.url).host],
    ["redis/url", "redis:6379", new URL(redis.url).host],
  ] as const) {
    writeFileSync(join(secrets, path), secret(path).replace(there, here));
  }

  const [port, adminPort] = [String(await freePort()), String(await freePort())];
  const settings = (service: string) =>
    Object.fromEntries(
      Object.entries(compose.services[service]?.environment ?? {}).map(([name, value]) => [
        name,
        value.replace("/run/secrets", secrets).replace("kafka:19092", kafka.brokers[0]!),
      ]),
    );
  const migrated = await launch(compose.services["migrate"]?.command, settings("migrate")).ended;
  if (migrated.code !== 0) throw new Error(migrated.stderr);
  const roles = new Map(
    instancesIn(compose).map(([name, { deploy, command }], i) => [
      name,
      Array.from({ length: deploy?.replicas ?? 1 }, (_, replica) =>
        createReplica(name, `127.0.${i + 1}.${replica + 1}`, dns, (host) =>
          launch(command, { ...settings(name), HOST: host, PORT: port, ADMIN_PORT: adminPort }),
        ),
      ),
    ]),
  );
  const replicas = [...roles.values()].flat();
  await Promise.all(replicas.map((replica) => replica.start()));

  const startLoadBalancer = (change: (text: string) => string) =>
    startHaproxy(change, { PORT: port, ADMIN_PORT: adminPort, DNS_SERVER: dns.address });
  const loadBalancer = await startLoadBalancer((text) => text);

  function createReplica(
    name: string,
    host: string,
    dns: DnsServer,
    start: (host: string) => ServiceProcess,
  ): Replica {
    let process: ServiceProcess | undefined;
    const addresses = dns.names.get(name) ?? new Set();
    dns.names.set(name, addresses);
    const ended = async () => {
      const { code } = (await process?.ended) ?? { code: null };
      addresses.delete(host);
      return code;
    };
    return {
      async start() {
        process = start(host);
        addresses.add(host);
        await process.printed("\n");
        await untilOk(`http://${host}:${adminPort}/readyz`);
      },
      async kill() {
        if (process && groupLives(process.pid)) process.killHard();
        await ended();
      },
      stop() {
        process?.signal("SIGTERM");
        return ended();
      },
    };
  }

  return {
    url: loadBalancer.url,
    adminKey: secret("admin/api-key"),
    databaseUrl: secret("database/url"),
    postgres,
    redis,
    kafka,
    loadBalancer,
    roles,
    startLoadBalancer,
    async stop() {
      await Promise.all([loadBalancer.stop(), ...replicas.map((replica) => replica.kill())]);
      await Promise.all([postgres.stop(), redis.stop(), kafka.stop()]);
      dns.close();
      rmSync(secrets, { recursive: true });
    },
  };
}

/** What a container of the image runs, with these arguments. */
function launch(
  args: readonly string[] = ["serve", "--json"],
  settings: Readonly<Record<string, string>>,
): ServiceProcess {
  const dockerfile = readFileSync("deploy/image/Dockerfile", "utf8");
  const entrypoint = /^ENTRYPOINT (.*)$/m.exec(dockerfile)?.[1] ?? "[]";
  const [, ...words] = JSON.parse(entrypoint) as string[];
  const cache = { NODE_COMPILE_CACHE: resolve(".cache/compile-cache") };
  return run([process.execPath, ...words, ...args], { ...cache, ...settings });
}

/** KAFKA_LISTENERS is what `listeners` is in a broker's own file. */
function brokerSettingsOf(
  environment: Readonly<Record<string, string>>,
  addresses: readonly (readonly [string, string])[],
): Record<string, string> {
  const elsewhere = ["KAFKA_LOG_DIRS", "KAFKA_HEAP_OPTS"];
  return Object.fromEntries(
    Object.entries(environment)
      .filter(([name]) => !elsewhere.includes(name))
      .map(([name, value]) => [
        name.slice("KAFKA_".length).toLowerCase().replaceAll("_", "."),
        addresses.reduce((text, [there, here]) => text.replaceAll(there, here), value),
      ]),
  );
}

async function startHaproxy(
  change: (text: string) => string,
  settings: Readonly<Record<string, string>>,
): Promise<Service & { url: string }> {
  const names = ["haproxy"];
  const haproxy = await aptProgram({ title: "HAProxy", names, packages: names });
  const [port, healthPort] = [await freePort(), await freePort()];
  const environment = {
    ...settings,
    LISTEN: `127.0.0.1:${port}`,
    HEALTH_LISTEN: `127.0.0.1:${healthPort}`,
  };
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const service = await startProcess({
    name: "haproxy",
    source: haproxy,
    prepare: async (folder) =>
      writeFileSync(join(folder, "haproxy.cfg"), change(readFileSync(CONFIGURATION, "utf8"))),
    command: (folder) => ["env", ...variables, haproxy, "-db", "-f", join(folder, "haproxy.cfg")],
    probe: () => assertOk(`http://127.0.0.1:${healthPort}/livez`),
    timeoutMs: READY_MS,
  });
  const url = `http://127.0.0.1:${port}`;
  await untilOk(`${url}/v3/api-docs`);
  return { ...service, url };
}

async function assertOk(url: string): Promise<void> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(await answer.text());
}

async function untilOk(url: string): Promise<void> {
  const deadline = AbortSignal.timeout(READY_MS);
  for (;;) {
    try {
      return await assertOk(url);
    } catch (error) {
      if (deadline.aborted) throw error;
      await sleep(50);
    }
  }
}
