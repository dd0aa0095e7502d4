import { execFile } from "node:child_process";
import { access, constants, readdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { CACHE } from "./postgres.ts";

/** Programs that the bench runs and that no npm package brings, by their paths. */
export interface Tools {
  readonly pgbench: string;
  readonly psql: string;
  readonly go: string;
}

const DEBIAN_POSTGRES = "/usr/lib/postgresql";

/** Finds the programs. Throws an Error of one line that names what is missing. */
export async function findTools(directories?: readonly string[]): Promise<Tools> {
  const places = directories ?? (await usualPlaces());
  const [pgbench, psql, go] = await Promise.all(
    ["pgbench", "psql", "go"].map((name) => findIn(places, name)),
  );
  if (pgbench !== undefined && psql !== undefined && go !== undefined) return { pgbench, psql, go };
  const missing = Object.entries({ pgbench, psql, go }).filter(([, found]) => found === undefined);
  const names = missing.map(([name]) => name).join(", ");
  throw new Error(
    `${names} not found: install Go 1.26 or newer and PostgreSQL's client programs and pgbench`,
  );
}

/** Debian keeps PostgreSQL's programs, and Go's installer Go, where no PATH leads. */
async function usualPlaces(): Promise<string[]> {
  const path = (process.env["PATH"] ?? "").split(delimiter);
  const versions = await readdir(DEBIAN_POSTGRES).catch(() => []);
  const newestFirst = versions.toSorted((a, b) => Number(b) - Number(a));
  const postgres = newestFirst.map((version) => join(DEBIAN_POSTGRES, version, "bin"));
  return [...path, ...postgres, "/usr/local/go/bin"];
}

async function findIn(directories: readonly string[], name: string): Promise<string | undefined> {
  for (const directory of directories) {
    const file = join(directory, name);
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return file;
  }
  return undefined;
}

/** Builds the load generator with Go into `.cache/` and returns its path. */
export async function buildLoadgen(go: string): Promise<string> {
  const file = join(CACHE, "loadgen");
  await promisify(execFile)(go, ["build", "-o", file, "."], {
    cwd: join(import.meta.dirname, "loadgen"),
  });
  return file;
}
