import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
} from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";

/** A server that a test uses and, unless it's somebody else's, may break. */
export interface Service {
  /** Where it came from, for people. */
  readonly source: string;
  /** Ends it for good and removes its data. */
  stop(): Promise<void>;
  /** Ends it as a power cut would; its data and port stay. */
  kill9(): Promise<void>;
  /** Starts it again after `kill9`, on the same data and port. */
  restart(): Promise<void>;
  /** Freezes it: connections stay open and nothing answers. */
  pause(): Promise<void>;
  /** Ends `pause`. */
  resume(): Promise<void>;
}

/** How a service is to be had. */
export interface ServiceOptions {
  /** For tests that break it: never the one that the environment names. */
  readonly own?: boolean;
}

/** A service that was there before: it's left as it is. */
export function externalService(variable: string): Service {
  const refuse = () =>
    Promise.reject(new Error(`${variable} names a server of others: ask for one with own: true`));
  return {
    source: variable,
    stop: async () => undefined,
    kill9: refuse,
    restart: refuse,
    pause: refuse,
    resume: refuse,
  };
}

/** The path of the first of these programs on PATH; undefined if there's none. */
export function findProgram(...names: string[]): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter(Boolean);
  return names
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/**
 * The folder `.cache/NAME`, which `fill` makes on first use. Test files that want it at the same
 * time each fill one of their own; the first to be done keeps it.
 */
export async function cached(
  name: string,
  fill: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = resolve(".cache", name);
  if (existsSync(folder)) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  const unfinished = mkdtempSync(`${folder}-`);
  try {
    await fill(unfinished);
    if (!existsSync(folder)) renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return folder;
}
