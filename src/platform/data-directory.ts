import { randomUUID } from "node:crypto";
import { chmod, mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { StartupError } from "./startup-error.ts";

/**
 * The absolute path of the data directory, made if there is none: others can pass through it to
 * what is theirs, as PostgreSQL's user must, but not list it. Throws StartupError.
 */
export async function openDataDirectory(path: string): Promise<string> {
  const directory = resolve(path);
  try {
    const found = await stat(directory).catch(() => undefined);
    if (found === undefined) {
      await makeDirectory(directory);
      await chmod(directory, 0o711);
    }
    if (found?.isDirectory() ?? true) return directory;
  } catch (cause) {
    throw new StartupError(
      "unavailable",
      `${directory} can't be made: set DATA_DIR to a directory that we can write to, or set ` +
        "DATABASE_URL instead",
      { cause },
    );
  }
  throw new StartupError(
    "unavailable",
    `${directory} is no directory: set DATA_DIR to one, or set DATABASE_URL instead`,
  );
}

/** With those above it. In /proc, which takes none, mkdir's own `recursive` never ends. */
async function makeDirectory(directory: string): Promise<void> {
  const make = async () => {
    try {
      await mkdir(directory);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EEXIST") return true;
      if (code === "ENOENT") return false;
      throw error;
    }
  };
  if (await make()) return;
  await makeDirectory(dirname(directory));
  if (!(await make())) throw new Error(`${dirname(directory)} takes no directory`);
}

/**
 * The content of a small private file, made with `create` (mode 0600) if there is none. What two
 * processes make at once may be the one's or the other's, but is never half. Throws StartupError if
 * what is there can't be read, or isn't what `isWhole` expects.
 */
export async function readOrCreate(
  file: string,
  create: () => string,
  isWhole: (content: string) => boolean,
): Promise<{ content: string; created: boolean }> {
  const kept = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return undefined;
    throw new StartupError("unavailable", `${file} can't be read (${cause.message})`, { cause });
  });
  if (kept !== undefined) {
    if (isWhole(kept)) return { content: kept, created: false };
    throw new StartupError(
      "unavailable",
      `${file} is damaged: restore it, or remove it, and the next start makes a new one`,
    );
  }
  const content = create();
  const unfinished = `${file}.${randomUUID()}`;
  await writeFile(unfinished, content, { mode: 0o600, flush: true });
  await rename(unfinished, file);
  return { content, created: true };
}
