import { execFile, spawn } from "node:child_process";
import { on, once } from "node:events";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { startCpuMeter } from "./cpu.ts";
import type { Measurement, RunLength } from "./measurement.ts";
import type { PgbenchScenario } from "./scenarios.ts";
import type { Tools } from "./tools.ts";

const SQL = join(import.meta.dirname, "sql");
/** By then it has long been told to end. */
const TIME_LIMIT_S = 3600;

/** What pgbench is run with. */
export interface PgbenchDeps {
  readonly tools: Tools;
  /** With the tables of `sql/schema.sql`. */
  readonly url: string;
  readonly postmaster: number;
  readonly signal: AbortSignal;
}

/** Makes the tables of the hand-written SQL, with 10,000 funded accounts. */
export async function createPgbenchTables({ tools, url, signal }: PgbenchDeps): Promise<void> {
  const args = ["--quiet", "--set=ON_ERROR_STOP=1", `--file=${join(SQL, "schema.sql")}`, url];
  await promisify(execFile)(tools.psql, args, { signal });
}

/** Runs one script, prepared, which is the fastest way. Throws if pgbench fails. */
export async function runPgbench(
  deps: PgbenchDeps,
  { name, script, clients }: Omit<PgbenchScenario, "kind"> & { readonly clients: number },
  { warmMs, windowMs }: RunLength,
): Promise<Measurement> {
  const directory = await mkdtemp(join(tmpdir(), "bench-pgbench-"));
  try {
    const pgbench = spawn(
      deps.tools.pgbench,
      [
        "--no-vacuum",
        "--protocol=prepared",
        `--file=${join(SQL, `${script}.sql`)}`,
        `--client=${clients}`,
        `--jobs=${Math.min(clients, 2)}`,
        `--time=${TIME_LIMIT_S}`,
        "--progress=1",
        "--log",
        `--log-prefix=${join(directory, "log")}`,
        deps.url,
      ],
      { signal: deps.signal, stdio: ["ignore", "ignore", "pipe"] },
    );
    const ended = once(pgbench, "close");
    // An interruption is thrown where it's awaited.
    ended.catch(() => undefined);
    const load = pgbench.pid ?? 0;
    await untilItRuns(pgbench.stderr);
    await sleep(warmMs, undefined, { signal: deps.signal });
    const stopMeter = startCpuMeter({ load, services: [], postmaster: deps.postmaster });
    const startMs = Date.now();
    await sleep(windowMs, undefined, { signal: deps.signal });
    const endMs = Date.now();
    const cpu = stopMeter();
    // That of its own timer: it takes no more transactions, writes its log and ends.
    pgbench.kill("SIGALRM");
    const [code] = await ended;
    if (code !== 0) throw new Error(`${name}: pgbench ended with exit code ${code}`);
    return { ...(await readLog(directory, startMs, endMs)), cpu };
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Waits for the first report of transactions; connecting takes its time. */
async function untilItRuns(messages: Readable): Promise<void> {
  let text = "";
  for await (const chunk of on(messages, "data", { close: ["close"] })) {
    text += String(chunk[0]);
    if (/ [1-9][\d.]* tps/.test(text)) return;
  }
  throw new Error(`pgbench failed: ${text.trim()}`);
}

/** Counts the transactions that ended in the window. */
async function readLog(
  directory: string,
  startMs: number,
  endMs: number,
): Promise<Omit<Measurement, "cpu">> {
  const latenciesMs: number[] = [];
  for (const file of await readdir(directory)) {
    const text = await readFile(join(directory, file), "utf8");
    for (const line of text.split("\n")) {
      // client, number of the transaction, its µs, script, when it ended: s and µs since 1970
      const [, , micros, , seconds, rest] = line.split(" ").map(Number);
      const endedMs = (seconds ?? 0) * 1000 + (rest ?? 0) / 1000;
      if (endedMs >= startMs && endedMs < endMs) latenciesMs.push((micros ?? 0) / 1000);
    }
  }
  latenciesMs.sort((a, b) => a - b);
  const at = (part: number) => latenciesMs[Math.floor(latenciesMs.length * part)] ?? 0;
  return {
    settled: latenciesMs.length,
    unsettled: 0,
    seconds: (endMs - startMs) / 1000,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
}

const CANDIDATES = [2, 4, 8, 16, 32];

/** The number of connections at which the script makes most transactions. */
export async function findBestClients(
  deps: PgbenchDeps,
  script: PgbenchScenario["script"],
  length: RunLength,
): Promise<number> {
  let best = { clients: 0, rate: 0 };
  for (const clients of CANDIDATES) {
    const run = await runPgbench(deps, { name: `pgbench-${script}`, script, clients }, length);
    const rate = run.settled / run.seconds;
    if (rate > best.rate) best = { clients, rate };
  }
  return best.clients;
}
