import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The service as someone finds it who has just started it for the first time. */
export interface FirstStart {
  /** Where the API is, as printed. */
  readonly url: string;
  /** The administrator's key, as printed. */
  readonly key: string;
  /** Ends the service and removes its data. */
  stop(): Promise<void>;
}

const START_MS = 60_000;

/** Starts the program with no settings but free ports and a new folder for its data. */
export async function firstStart(): Promise<FirstStart> {
  const folder = mkdtempSync(join(tmpdir(), "first-start-"));
  // The database's user has to enter it, or root's database is put elsewhere and stays there.
  chmodSync(folder, 0o711);
  const child = spawn(process.execPath, ["src/main.ts"], {
    env: { PATH: process.env["PATH"], DATA_DIR: folder, PORT: "0", ADMIN_PORT: "0" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const onExit = () => child.kill("SIGTERM");
  process.once("exit", onExit);
  const exited = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await exited;
    process.off("exit", onExit);
    rmSync(folder, { recursive: true });
  };
  let output = "";
  let log = "";
  child.stdout.on("data", (chunk) => (output += String(chunk)));
  child.stderr.on("data", (chunk) => (log += String(chunk)));
  const deadline = AbortSignal.timeout(START_MS);
  while (!/ipa_\S+\s+shown once/.test(output)) {
    if (child.exitCode !== null || deadline.aborted) {
      await stop();
      throw new Error(`the service didn't start: ${log.trim().split("\n").slice(-3).join(" | ")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const [, url = ""] = /API +(http\S+)/.exec(output) ?? [];
  const [key = ""] = /ipa_[\w-]+/.exec(output) ?? [];
  return { url, key, stop };
}
