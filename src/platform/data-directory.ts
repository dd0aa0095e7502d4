import { randomUUID } from "node:crypto";
import { chmod, mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { StartupError } from "./startup-error.ts";

/**
 * The absolute path of the data directory, made if there is none: others can pass through it to
 * what is theirs, as PostgreSQL's user must, but not list it. Throws StartupError.
 */
export async function openDataDirectory(path: string): Promise<string> {
  const directory = resolve(path);
  try {
    const isThere = await stat(directory).catch(() => undefined);
    if (isThere === undefined) {
      await mkdir(directory, { recursive: true });
      await chmod(directory, 0o711);
    }
    return directory;
  } catch (cause) {
    throw new StartupError(
      "unavailable",
      `${directory} can't be made: set DATA_DIR to a directory that we can write to, or set ` +
        "DATABASE_URL instead",
      { cause },
    );
  }
}

/**
 * The content of a small private file, made with `create` (mode 0600) if there is none. What two
 * processes make at once may be the one's or the other's, but is never half.
 */
export async function readOrCreate(
  file: string,
  create: () => string,
): Promise<{ content: string; created: boolean }> {
  try {
    return { content: await readFile(file, "utf8"), created: false };
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
  const content = create();
  const unfinished = `${file}.${randomUUID()}`;
  await writeFile(unfinished, content, { mode: 0o600, flush: true });
  await rename(unfinished, file);
  return { content, created: true };
}
