import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Service } from "./service.ts";

/** A server program and how to tell that it serves. */
export interface ServiceProgram {
  /** For messages: `redis`. */
  readonly name: string;
  readonly source: string;
  /** Program and arguments, given the folder for its data. */
  readonly command: (folder: string) => readonly string[];
  /** Runs once, before the first start. */
  readonly prepare?: (folder: string) => Promise<void>;
  /** Throws as long as it doesn't serve. */
  readonly probe: () => Promise<unknown>;
  readonly timeoutMs: number;
}

const STOP_MS = 10_000;

/** Runs a program to its end and returns what it printed. Throws with the last lines of it. */
export async function run(program: string, ...args: string[]): Promise<string> {
  try {
    return (await promisify(execFile)(program, args, { maxBuffer: 2 ** 24 })).stdout;
  } catch (error) {
    const output = error instanceof Error && "stderr" in error ? String(error.stderr) : "";
    throw new Error(`${program} failed: ${output.trim().split("\n").slice(-3).join(" | ")}`, {
      cause: error,
    });
  }
}

/** Starts the program with a new folder for its data; ended with this process at the latest. */
export async function startProcess(program: ServiceProgram): Promise<Service> {
  const { name, source } = program;
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  const log = join(folder, "log");
  await program.prepare?.(folder);
  let child = launch();
  const onExit = () => child.kill("SIGKILL");
  process.once("exit", onExit);

  function launch(): ChildProcess {
    const [file = "", ...args] = program.command(folder);
    const output = openSync(log, "a");
    const launched = spawn(file, args, { stdio: ["ignore", output, output] });
    launched.on("error", () => undefined);
    closeSync(output);
    return launched;
  }

  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (hasEnded()) return;
    const ended = once(child, "exit");
    child.kill(signal);
    // A process that is paused gets no other signal than SIGKILL.
    child.kill("SIGCONT");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(timer);
  }

  async function stop(): Promise<void> {
    await end("SIGTERM");
    process.off("exit", onExit);
    rmSync(folder, { recursive: true });
  }

  async function serving(): Promise<void> {
    const deadline = AbortSignal.timeout(program.timeoutMs);
    for (;;) {
      try {
        await program.probe();
        return;
      } catch (cause) {
        if (child.pid !== undefined && !hasEnded() && !deadline.aborted) {
          await sleep(50);
          continue;
        }
        const last = readFileSync(log, "utf8").trim().split("\n").slice(-5).join(" | ");
        await stop();
        throw new Error(`${name} (${source}) didn't start: ${last}`, { cause });
      }
    }
  }

  await serving();
  console.log(`${name}: ${source}`);
  return {
    source,
    stop,
    kill9: () => end("SIGKILL"),
    async restart() {
      if (!hasEnded()) throw new Error(`${name} runs already`);
      child = launch();
      await serving();
    },
    async pause() {
      child.kill("SIGSTOP");
    },
    async resume() {
      child.kill("SIGCONT");
    },
  };
}
