import { readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { openDataDirectory } from "./data-directory.ts";
import { freePort } from "./listen.ts";
import { type PostgresCluster, openPostgresCluster } from "./postgres-cluster.ts";
import { runProgram } from "./run-program.ts";
import { StartupError } from "./startup-error.ts";

/** What the embedded PostgreSQL is started with. */
export interface EmbeddedPostgresOptions {
  /** The cluster is kept in `postgres` below it. */
  readonly dataDir: string;
  /** The database that `url` points to, made if there is none. */
  readonly database: string;
  /** Server settings for a start of ours, such as `{ fsync: "off" }` for tests. */
  readonly settings?: Readonly<Record<string, string>>;
  /** A PostgreSQL that another process of ours uses is shared instead of being refused. */
  readonly share?: boolean;
  /** Where root keeps the cluster if the user `postgres` can't enter `dataDir`. */
  readonly relocateTo?: string;
}

/** A running PostgreSQL. */
export interface EmbeddedPostgres {
  /** With the password of the superuser. */
  readonly url: string;
  /** Ends the server, unless it is another process's; open connections are cut. */
  readonly stop: () => Promise<void>;
}

/** Held by who owns the server as long as its process lives, so `kill -9` releases it. */
const OWNER_LOCK = 7_203_611_905;
const START_ATTEMPTS = 5;
const CONNECT_ATTEMPTS = 120;
const CONNECT_PAUSE_MS = 250;

/**
 * Starts PostgreSQL on a free port of 127.0.0.1, or adopts the one that a killed process left in
 * the same directory. Durable unless `settings` say otherwise. Throws StartupError, also if
 * another process owns the directory and `share` isn't set.
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const cluster = await openPostgresCluster(
    await openDataDirectory(options.dataDir),
    options.relocateTo ?? "/var/lib/instant-payment",
  );
  const { owner, port } = await startOrAdopt(cluster, options.settings ?? {});
  const { rows } = await owner.query("SELECT pg_try_advisory_lock($1) AS mine", [OWNER_LOCK]);
  const mine = rows[0]?.mine === true;
  if (!mine) await owner.end();
  if (!mine && options.share !== true) {
    throw new StartupError(
      "unavailable",
      `${options.dataDir} is in use by another instance: stop that one or set DATA_DIR`,
    );
  }
  if (mine) await ensureDatabase(owner, options.database);
  return {
    url: `postgresql://postgres:${cluster.password}@127.0.0.1:${port}/${options.database}`,
    async stop() {
      if (!mine) return;
      // Stopped before the lock is given up, or another start could adopt a dying server.
      await stopServer(cluster);
      await owner.end();
    },
  };
}

async function startOrAdopt(
  cluster: PostgresCluster,
  settings: Readonly<Record<string, string>>,
): Promise<{ owner: Client; port: number }> {
  for (let attempt = 1; attempt <= CONNECT_ATTEMPTS; attempt++) {
    const port = (await runningPort(cluster)) ?? (await startServer(cluster, settings));
    const owner = new Client({
      host: "127.0.0.1",
      port,
      user: "postgres",
      password: cluster.password,
      database: "postgres",
    });
    // The server may end before we do; who uses it finds out by their own connections.
    owner.on("error", () => undefined);
    try {
      await owner.connect();
      return { owner, port };
    } catch (error) {
      // A server that we found may be recovering or on its way down.
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code !== "ECONNREFUSED" && code !== "ECONNRESET" && code !== "57P03") throw error;
      await sleep(CONNECT_PAUSE_MS);
    }
  }
  throw new StartupError("unavailable", `PostgreSQL doesn't answer: see ${cluster.logFile}`);
}

/** The port of a server that runs on the cluster; undefined if there is none. */
async function runningPort(cluster: PostgresCluster): Promise<number | undefined> {
  const pidFile = join(cluster.pgData, "postmaster.pid");
  const lines = (await readFile(pidFile, "utf8").catch(() => "")).split("\n");
  const port = Number(lines[3]);
  if (!(port > 0)) return undefined;
  // After a reboot, and often in containers, the number may be another program's.
  const command = await readFile(`/proc/${lines[0]}/cmdline`, "utf8").catch(() => undefined);
  if (command !== undefined && !command.includes(cluster.pgData)) {
    await rm(pidFile, { force: true });
    return undefined;
  }
  const status = await runProgram(
    cluster.binaries.pgCtl,
    ["status", `--pgdata=${cluster.pgData}`],
    cluster.user,
  );
  return status.code === 0 ? port : undefined;
}

async function startServer(
  cluster: PostgresCluster,
  settings: Readonly<Record<string, string>>,
): Promise<number> {
  const { pgData, logFile } = cluster;
  await rename(logFile, `${logFile}.previous`).catch(() => undefined);
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const all = {
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      log_checkpoints: "off",
      timezone: "UTC",
      ...settings,
      port,
    };
    const flags = Object.entries(all).map(([name, value]) => `-c ${name}=${value}`);
    const start = await runProgram(
      cluster.binaries.pgCtl,
      ["start", "--wait", `--pgdata=${pgData}`, `--log=${logFile}`, `--options=${flags.join(" ")}`],
      cluster.user,
    );
    if (start.code === 0) return port;
    const log = await readFile(logFile, "utf8").catch(() => start.output);
    const portTaken = log.includes("could not create any TCP/IP sockets");
    if (portTaken && attempt < START_ATTEMPTS) continue;
    const reason = /FATAL: +(.*)/.exec(log)?.[1] ?? start.output.trim();
    throw new StartupError("unavailable", `PostgreSQL didn't start: ${reason} (see ${logFile})`);
  }
}

async function ensureDatabase(client: Client, database: string): Promise<void> {
  const found = await client.query("SELECT FROM pg_database WHERE datname = $1", [database]);
  if (found.rowCount === 0) {
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(database)}`);
  }
}

/** Cuts connections and writes a checkpoint; if that takes half a minute, recovery does it. */
async function stopServer({ binaries, pgData, user }: PostgresCluster): Promise<void> {
  for (const mode of ["fast", "immediate"]) {
    const args = ["stop", "--wait", "--timeout=30", `--mode=${mode}`, `--pgdata=${pgData}`];
    if ((await runProgram(binaries.pgCtl, args, user)).code === 0) return;
  }
}
