import { execFile } from "node:child_process";

/** A user of the operating system that a program shall run as; empty: the one that we are. */
export interface RunAs {
  readonly uid?: number;
  readonly gid?: number;
}

/** How a program ended and all that it wrote, its errors last. */
export interface Outcome {
  readonly code: number;
  readonly output: string;
}

/** Fixed, so that nothing a user has set (PGDATA, PGPORT, LC_ALL) changes what a program does. */
const ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
};

/**
 * Runs a program to its end, two minutes at most, in `/` and with an environment of our own. It
 * never throws: one that can't be started has code 127.
 */
export function runProgram(
  file: string,
  args: readonly string[],
  runAs: RunAs = {},
): Promise<Outcome> {
  const options = { ...runAs, cwd: "/", env: ENVIRONMENT, timeout: 120_000 };
  return new Promise<Outcome>((resolve) => {
    execFile(file, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      const output = stdout + stderr || (error?.message ?? "");
      resolve({ code: typeof code === "number" ? code : 127, output });
    });
  }).catch((error: unknown) => ({ code: 127, output: String(error) }));
}
