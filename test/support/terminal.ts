import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SETTINGS } from "../../src/config.ts";
import { groupLives } from "./service-process.ts";

/** A shell in which somebody works. */
export interface Terminal {
  /**
   * Runs lines to their end and returns what they printed. Throws, with all that was written, if
   * one of them fails; after that the terminal is closed.
   */
  run(lines: string): Promise<string>;
  /** Runs a command that stays, and returns what it printed once it matches. */
  serve(command: string, ready: RegExp): Promise<string>;
  /** SIGTERM to what `serve` started; throws unless it ends with exit code 0. */
  stopServing(): Promise<void>;
  /** Ends it and everything that was started in it. */
  close(): Promise<void>;
}

/** The variables of a user's shell: not those of a test, of `npm run`, or of the service. */
function userEnvironment(): Record<string, string | undefined> {
  const OURS = /^(npm_(?!config_(cache|registry|userconfig)$)|VITEST|INIT_CWD$|NODE_(?!EXTRA_CA))/;
  const theirs = Object.entries(process.env).filter(
    ([name]) => !OURS.test(name) && !(name in SETTINGS),
  );
  const path = (process.env["PATH"] ?? "")
    .split(":")
    .filter((directory) => !directory.includes("node_modules"));
  return { ...Object.fromEntries(theirs), PATH: path.join(":") };
}

/** Opens bash in a folder, with the host's Node and these variables on top. */
export function openTerminal(
  folder: string,
  variables: Readonly<Record<string, string>>,
): Terminal {
  const shell = spawn("bash", ["--noprofile", "--norc", "-e", "-o", "pipefail"], {
    cwd: folder,
    env: { ...userEnvironment(), ...variables },
    // It leads a group that everything in it belongs to.
    detached: true,
  });
  const output = { stdout: "", stderr: "" };
  shell.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
  shell.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  let closed = false;
  const ended = once(shell, "close").then(() => (closed = true));
  let calls = 0;

  async function run(lines: string): Promise<string> {
    const mark = `\n── end of ${++calls}\n`;
    output.stdout = output.stderr = "";
    // A program that reads would read what the shell is to run next.
    shell.stdin.write(`{ ${lines}\n} </dev/null\nprintf '%s' '${mark}'\n`);
    while (!output.stdout.endsWith(mark)) {
      if (closed) throw new Error(`failed:\n${lines}\n${output.stdout}${output.stderr}`);
      await Promise.race([once(shell.stdout, "data"), ended]);
    }
    return output.stdout.slice(0, -mark.length);
  }

  return {
    run,
    async serve(command, ready) {
      const [out = "", errors = ""] = ["out", "err"].map((end) =>
        join(folder, `../serving.${end}`),
      );
      // The files are made first: the command opens them some time later.
      await run(`: >'${out}' >'${errors}'; ${command} >'${out}' 2>'${errors}' & SERVING=$!`);
      for (;;) {
        const printed = await readFile(out, "utf8");
        if (ready.test(printed)) return printed;
        await run("kill -0 $SERVING").catch(async (cause) => {
          throw new Error(`${command}: ${await readFile(errors, "utf8")}`, { cause });
        });
        await sleep(100);
      }
    },
    stopServing: async () => void (await run("kill -TERM $SERVING && wait $SERVING")),
    async close() {
      const pid = shell.pid ?? 0;
      if (groupLives(pid)) process.kill(-pid, "SIGTERM");
      while (groupLives(pid)) await sleep(50);
      await ended;
    },
  };
}
