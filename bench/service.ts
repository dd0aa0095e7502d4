import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

const ROOT = join(import.meta.dirname, "..");
const CLI = join(ROOT, "src", "cli", "instant-payment.ts");

/** A running instance. */
export interface Service {
  /** Host and port of the API, or of the operators' server if it has no API. */
  readonly address: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Which database a command works on, and what ends it early. */
export interface CommandOptions {
  readonly databaseUrl: string;
  readonly signal: AbortSignal;
}

/** What differs from a service on its database alone. */
type Settings = Readonly<Record<string, string>>;

/** Starts an instance as `npm start` does; resolves once it takes calls. */
export async function startService(
  databaseUrl: string,
  adminKey: string,
  settings: Settings = {},
): Promise<Service> {
  const child = spawn(process.execPath, [...(await startArguments()), "--json"], {
    cwd: ROOT,
    env: {
      ...environment(databaseUrl),
      ADMIN_API_KEY: adminKey,
      PORT: "0",
      ADMIN_PORT: "0",
      LOG_LEVEL: "warn",
      ...settings,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  const address = await readAddress(child);
  return {
    address,
    pid: child.pid ?? 0,
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** Those of `npm start`, whose npm would stand between us and the process. */
async function startArguments(): Promise<string[]> {
  const manifest: Manifest = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  return manifest.scripts.start.replace(/^exec node /, "").split(" ");
}

interface Manifest {
  readonly scripts: { readonly start: string };
}

/** From the one line that it prints when it's up. */
async function readAddress(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("it was started with a pipe");
  for await (const line of createInterface({ input: child.stdout })) {
    const { apiUrl, adminUrl } = JSON.parse(line) as { apiUrl?: string; adminUrl: string };
    child.stdout.resume();
    return new URL(apiUrl ?? adminUrl).host;
  }
  throw new Error("the service didn't start");
}

/** Brings an empty database to what the service needs. */
export async function migrateDatabase(options: CommandOptions): Promise<void> {
  await runCli(["migrate"], options);
}

/** Makes a key of an owner, as callers have one: whose money it is has to be asked. */
export async function makeOwnerKey(ownerId: string, options: CommandOptions): Promise<string> {
  const args = ["keys", "create", "--owner", ownerId, "--scopes", SCOPES, "--json"];
  return (JSON.parse(await runCli(args, options)) as { secret: string }).secret;
}

const SCOPES = "accounts:read,payments:read,payments:write";

/** Counts of a ledger that is right. */
export interface VerifiedLedger {
  readonly payments: number;
  readonly entries: number;
}

/** Has the service check its books. Throws with what it says if they are wrong. */
export async function verifyLedger(options: CommandOptions): Promise<VerifiedLedger> {
  return JSON.parse(await runCli(["verify", "--json"], options));
}

async function runCli(args: readonly string[], options: CommandOptions): Promise<string> {
  const { databaseUrl, signal } = options;
  const env = environment(databaseUrl);
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [CLI, ...args], { cwd: ROOT, env, signal }, (error, out, err) => {
      if (error === null) resolve(out);
      else reject(new Error(`instant-payment ${args[0]}: ${(out + err).trim()}`));
    });
  });
}

/** What a shell may have set (PORT, ROLES, NODE_OPTIONS) mustn't change what is measured. */
function environment(databaseUrl: string): Record<string, string | undefined> {
  return { PATH: process.env["PATH"], DATABASE_URL: databaseUrl };
}
