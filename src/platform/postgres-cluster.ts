import { randomBytes, randomUUID } from "node:crypto";
import { access, chown, lstat, mkdir, readFile, realpath } from "node:fs/promises";
import { rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type PostgresBinaries, preparePostgresBinaries } from "./postgres-binaries.ts";
import { canEnter, postgresUser } from "./postgres-user.ts";
import { type RunAs, runProgram } from "./run-program.ts";
import { StartupError } from "./startup-error.ts";

/** A PostgreSQL data directory with what is needed to start it. */
export interface PostgresCluster {
  readonly binaries: PostgresBinaries;
  readonly user: RunAs;
  /** Where the server's files are; its log is beside them. */
  readonly pgData: string;
  readonly logFile: string;
  /** Of the superuser `postgres`. */
  readonly password: string;
}

/** Under this name in the server's own directory, so that one can't be had without the other. */
const PASSWORD_FILE = "superuser-password";

/**
 * The cluster in `dataDir/postgres`, made if there is none, with a generated password (mode 0600).
 * For root whose `dataDir` the user `postgres` can't enter (one under /root, say) that is a link
 * to a new directory in `relocateTo`. Throws StartupError.
 */
export async function openPostgresCluster(
  dataDir: string,
  relocateTo: string,
): Promise<PostgresCluster> {
  const user = await postgresUser();
  const home = await openHome(dataDir, relocateTo, user);
  const binaries = await preparePostgresBinaries(user, home);
  const pgData = join(home, "data");
  if (!(await exists(pgData))) await initialise(binaries, user, pgData);
  const password = await readPassword(pgData);
  return { binaries, user, pgData, logFile: join(home, "postgres.log"), password };
}

async function readPassword(pgData: string): Promise<string> {
  try {
    return await readFile(join(pgData, PASSWORD_FILE), "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
    // It may be a ledger all the same: nobody is told to remove it.
    throw new StartupError(
      "unavailable",
      `${pgData} is no whole PostgreSQL, it has no ${PASSWORD_FILE}: restore it from a back-up, or ` +
        "set DATA_DIR to a new directory",
      { cause },
    );
  }
}

async function openHome(dataDir: string, relocateTo: string, user: RunAs): Promise<string> {
  const home = join(dataDir, "postgres");
  if (!(await exists(home))) {
    if (await canEnter(dataDir, user)) {
      await makePrivate(home, user);
    } else {
      const target = join(relocateTo, randomUUID());
      await mkdir(relocateTo, { recursive: true, mode: 0o711 });
      await makePrivate(target, user);
      await symlink(target, home);
    }
  }
  const path = await realpath(home).catch(() => home);
  if (await canEnter(path, user)) return path;
  throw new StartupError(
    "unavailable",
    `PostgreSQL's user can't enter ${path}: set DATA_DIR to a directory that it can`,
  );
}

async function makePrivate(directory: string, user: RunAs): Promise<void> {
  await mkdir(directory, { mode: 0o700 });
  await giveTo(directory, user);
}

async function giveTo(path: string, { uid, gid }: RunAs): Promise<void> {
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

/** Made under another name: a start that was killed here leaves nothing that looks finished. */
async function initialise(binaries: PostgresBinaries, user: RunAs, pgData: string): Promise<void> {
  const unfinished = `${pgData}.${process.pid}`;
  const passwordFile = `${unfinished}.password`;
  await rm(unfinished, { recursive: true, force: true });
  await writeFile(passwordFile, randomBytes(24).toString("base64url"), { mode: 0o600 });
  await giveTo(passwordFile, user);
  const initdb = await runProgram(
    binaries.initdb,
    [
      `--pgdata=${unfinished}`,
      "--username=postgres",
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C",
    ],
    user,
  );
  if (initdb.code !== 0) {
    await rm(passwordFile, { force: true });
    const reason = initdb.output.trim().split("\n").at(-1);
    throw new StartupError("unavailable", `PostgreSQL couldn't be set up: ${reason}`);
  }
  await rename(passwordFile, join(unfinished, PASSWORD_FILE));
  await rename(unfinished, pgData).catch(async (error: unknown) => {
    await rm(unfinished, { recursive: true });
    // Another start may have been quicker by a moment: then its cluster is as good.
    await access(pgData).catch(() => {
      throw error;
    });
  });
}
