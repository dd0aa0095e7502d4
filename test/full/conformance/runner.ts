import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { cached } from "../../support/services/service.ts";

const exec = promisify(execFile);
const MODULE = "connectrpc.com/conformance";
const VERSION = "v1.0.7";

/** Connect's conformance runner, and the descriptors of its messages and its service. */
export interface ConformanceRunner {
  readonly program: string;
  readonly descriptors: string;
}

/** Builds the runner and its descriptors once, into `.cache`. Throws in one line without Go. */
export async function installConformanceRunner(): Promise<ConformanceRunner> {
  const folder = await cached(`connectconformance-${VERSION}`, async (unfinished) => {
    const env = { ...process.env, GOBIN: unfinished };
    await exec("go", ["install", `${MODULE}/cmd/connectconformance@${VERSION}`], { env }).catch(
      (cause) => {
        throw new Error("connectconformance can't be built: Go 1.24 or newer is needed", { cause });
      },
    );
    const { stdout } = await exec("go", ["mod", "download", "-json", `${MODULE}@${VERSION}`]);
    const module: { readonly Dir: string } = JSON.parse(stdout);
    const image = join(unfinished, "descriptors.binpb");
    await exec(resolve("node_modules/.bin/buf"), ["build", join(module.Dir, "proto"), "-o", image]);
  });
  return {
    program: join(folder, "connectconformance"),
    descriptors: join(folder, "descriptors.binpb"),
  };
}

/** What became of a run. */
export interface ConformanceReport {
  readonly total: number;
  /** Cases that didn't pass, with what the runner had to say. */
  readonly failures: readonly { readonly name: string; readonly complaints: readonly string[] }[];
}

/** Runs the runner's cases for a server, started by `command`, but those that `skip` matches. */
export async function runConformance(
  program: string,
  config: string,
  skip: readonly string[],
  command: readonly string[],
): Promise<ConformanceReport> {
  const skips = skip.flatMap((pattern) => ["--skip", pattern]);
  const args = ["--mode", "server", "--conf", config, ...skips, "--", ...command];
  // It ends with 1 if a case fails, and those are in its output.
  const output = await exec(program, args, { maxBuffer: 2 ** 28 }).then(
    ({ stdout, stderr }) => stdout + stderr,
    ({ stdout, stderr }: { stdout: string; stderr: string }) => stdout + stderr,
  );
  const total = Number(/^Total cases: (\d+)/m.exec(output)?.[1] ?? 0);
  const [, ...failed] = output.split(/^FAILED: /m);
  const failures = failed.map((text) => ({
    name: text.split(":\n")[0] ?? "",
    // Each begins after one tab; what is indented further, or + and -, explains the one before.
    complaints: [...text.matchAll(/^\t(?:; )?([^\s+;-].*)$/gm)].map(([, line]) => line ?? ""),
  }));
  return { total, failures };
}
