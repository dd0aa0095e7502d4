import { mkdir, mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "pg";
import { startEmbeddedPostgres } from "../src/platform/embedded-postgres.ts";

/** The PostgreSQL that everybody is measured on. */
export interface BenchPostgres {
  readonly version: string;
  /** Its first process. */
  readonly postmaster: number;
  url(database: string): string;
  /** Removes the database if there is one and makes it anew: empty, or a copy. */
  recreate(database: string, template?: string): Promise<void>;
  /** Writes out what earlier runs changed, so that the next one doesn't pay for it. */
  checkpoint(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Room for a run's data, so that no checkpoint falls into one run and not into the other; all else
 * is as PostgreSQL comes. Nothing here makes it less durable.
 */
export const POSTGRES_SETTINGS = {
  shared_buffers: "1GB",
  max_wal_size: "8GB",
  checkpoint_timeout: "30min",
} as const;

/** Where the bench keeps its data, on the disk that the project is on. */
export const CACHE = join(import.meta.dirname, "..", ".cache");

/** Starts one on a free port with its data in `.cache/`. Throws unless it is durable. */
export async function startPostgres(): Promise<BenchPostgres> {
  await mkdir(CACHE, { recursive: true });
  const dataDir = await mkdtemp(join(CACHE, "bench-"));
  // Where the data is if PostgreSQL's user can't enter the directory.
  const removeData = async () => {
    const home = await realpath(join(dataDir, "postgres")).catch(() => dataDir);
    await rm(home, { recursive: true });
    await rm(dataDir, { recursive: true, force: true });
  };
  const settings = POSTGRES_SETTINGS;
  const server = await startEmbeddedPostgres({ dataDir, database: "bench", settings }).catch(
    async (error: unknown) => {
      await removeData();
      throw error;
    },
  );
  const client = new Client({ connectionString: server.url });
  client.on("error", () => undefined);
  const stop = async () => {
    await server.stop();
    await client.end().catch(() => undefined);
    await removeData();
  };
  try {
    await client.connect();
    await assertDurable(client);
    return {
      version: await show(client, "server_version"),
      postmaster: await postmasterOf(client),
      url: (database) => Object.assign(new URL(server.url), { pathname: `/${database}` }).href,
      async recreate(database, template) {
        await client.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
        await client.query(`CREATE DATABASE ${database} TEMPLATE ${template ?? "template1"}`);
      },
      checkpoint: async () => void (await client.query("CHECKPOINT")),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function show(client: Client, setting: string): Promise<string> {
  const { rows } = await client.query<Record<string, string>>(`SHOW ${setting}`);
  return Object.values(rows[0] ?? {})[0] ?? "";
}

async function assertDurable(client: Client): Promise<void> {
  for (const setting of ["fsync", "synchronous_commit", "full_page_writes"]) {
    const value = await show(client, setting);
    if (value !== "on") throw new Error(`PostgreSQL isn't durable: ${setting} is ${value}`);
  }
}

async function postmasterOf(client: Client): Promise<number> {
  const directory = await show(client, "data_directory");
  const [pid] = (await readFile(join(directory, "postmaster.pid"), "utf8")).split("\n");
  return Number(pid);
}
