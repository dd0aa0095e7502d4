import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** How a process ended, and all that it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process of the service, started as a user does. */
export interface ServiceProcess {
  /** npm's process id; it leads a process group of its own. */
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** Resolves with what is on standard output once that holds `text`. */
  readonly printed: (text: string) => Promise<string>;
  /** To npm, and to nobody else. */
  readonly signal: (signal: NodeJS.Signals) => void;
  /** `kill -9` for npm and the service at once: neither can tidy up. */
  readonly killHard: () => void;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Runs a command in the checkout with these settings and the PATH of a plain shell. */
export function run(
  command: readonly [string, ...string[]],
  settings: Readonly<Record<string, string>>,
): ServiceProcess {
  const path = (process.env["PATH"] ?? "")
    .split(":")
    .filter((directory) => !directory.includes("node_modules"))
    .join(":");
  const { HOME = "/" } = process.env;
  const [program, ...args] = command;
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { PATH: path, HOME, ...settings },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, ...output }));
  const pid = pidOf(child);
  return {
    pid,
    ended,
    async printed(text) {
      while (!output.stdout.includes(text)) {
        const last = await Promise.race([once(child.stdout, "data"), ended]);
        if ("code" in last) throw new Error(`it ended: ${JSON.stringify(last)}`);
      }
      return output.stdout;
    },
    signal: (signal) => void child.kill(signal),
    killHard: () => void process.kill(-pid, "SIGKILL"),
  };
}

/** True as long as a process of the group lives. */
export function groupLives(pid: number): boolean {
  try {
    return process.kill(-pid, 0);
  } catch {
    return false;
  }
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error("it couldn't be started");
  return pid;
}
