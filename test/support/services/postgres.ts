import { readFileSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../../src/platform/listen.ts";
import { openPostgresCluster } from "../../../src/platform/postgres-cluster.ts";
import { runProgram } from "../../../src/platform/run-program.ts";
import type { Service } from "./service.ts";

/** A PostgreSQL that a test may break; durable, as it comes. */
export interface PostgresService extends Pick<Service, "kill9" | "restart" | "stop"> {
  /** With a superuser. */
  readonly url: string;
}

/**
 * Starts one with a new folder for its data, on a port that it keeps over kills, with further
 * settings of the server if given, such as `max_connections=300`.
 */
export async function startPostgres(settings: readonly string[] = []): Promise<PostgresService> {
  const folder = await mkdtemp(join(tmpdir(), "postgres-"));
  await chmod(folder, 0o711);
  const cluster = await openPostgresCluster(folder, join(tmpdir(), "postgres-relocated"));
  const { pgData, logFile, user, password, binaries } = cluster;
  const port = await freePort();
  const all = ["max_wal_size=4GB", ...settings, `port=${port}`, "listen_addresses=127.0.0.1"];
  const options = [...all, "unix_socket_directories="].map((setting) => `-c ${setting}`).join(" ");

  async function pgCtl(...args: string[]): Promise<void> {
    const { code, output } = await runProgram(binaries.pgCtl, [...args, "-D", pgData], user);
    if (code !== 0)
      throw new Error(`pg_ctl ${args[0]}: ${output} ${await readFile(logFile, "utf8")}`);
  }
  const start = () => pgCtl("start", "--wait", `--log=${logFile}`, `--options=${options}`);

  /** The server's first process and those that it has started. */
  function processes(): number[] {
    const first = readFileSync(join(pgData, "postmaster.pid"), "utf8").split("\n", 1)[0]!;
    const children = readFileSync(`/proc/${first}/task/${first}/children`, "utf8");
    return [first, ...children.split(" ")].filter(Boolean).map(Number);
  }

  await start();
  return {
    url: `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`,
    restart: start,
    async kill9() {
      const pids = processes();
      for (const pid of pids) kill(pid, "SIGKILL");
      while (pids.some((pid) => kill(pid, 0))) await sleep(10);
    },
    async stop() {
      await pgCtl("stop", "--mode=immediate", "--wait").catch(() => undefined);
      await rm(folder, { recursive: true });
    },
  };
}

/** False if the process is gone. */
function kill(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
