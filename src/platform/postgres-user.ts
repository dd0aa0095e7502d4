import { type RunAs, runProgram } from "./run-program.ts";
import { StartupError } from "./startup-error.ts";

/**
 * Whom PostgreSQL runs as, since it refuses to run as root: for root the system's user `postgres`,
 * made if there is none; for everybody else themselves (empty). Throws StartupError if it can't.
 */
export async function postgresUser(): Promise<RunAs> {
  if (process.getuid?.() !== 0) return {};
  const existing = await lookUp("postgres");
  if (existing !== undefined) return existing;
  const made = await runProgram("useradd", [
    "--system",
    "--user-group",
    "--no-create-home",
    "--shell",
    "/usr/sbin/nologin",
    "postgres",
  ]);
  const user = await lookUp("postgres");
  if (user !== undefined) return user;
  throw new StartupError(
    "unavailable",
    "PostgreSQL can't run as root and the user 'postgres' couldn't be made " +
      `(${made.output.trim()}): start as an ordinary user or set DATABASE_URL`,
  );
}

async function lookUp(name: string): Promise<RunAs | undefined> {
  const [uid, gid] = await Promise.all([
    runProgram("id", ["-u", name]),
    runProgram("id", ["-g", name]),
  ]);
  if (uid.code !== 0 || gid.code !== 0) return undefined;
  return { uid: Number(uid.output), gid: Number(gid.output) };
}

/** True if that user can enter the directory: every one above it lets them pass. */
export async function canEnter(directory: string, user: RunAs): Promise<boolean> {
  return (await runProgram("/bin/sh", ["-c", 'cd -- "$1"', "sh", directory], user)).code === 0;
}
