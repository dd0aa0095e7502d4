import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const exec = promisify(execFile);

/** An empty project with the SDK's tarball installed, as its users have it. */
export interface SdkInstall {
  readonly folder: string;
  /** What `npm pack` put into the tarball. */
  readonly packed: readonly string[];
  /** Runs a program in the folder; returns what it printed, of a failed one too. */
  run(program: string, args: readonly string[]): Promise<string>;
  remove(): Promise<void>;
}

/** Packs the SDK and installs the tarball, with some more packages, from npm's registry or cache. */
export async function installSdk(packages: readonly string[]): Promise<SdkInstall> {
  const folder = await mkdtemp(join(tmpdir(), "sdk-install-"));
  const pack = ["pack", "--json", "--pack-destination", folder];
  const [tarball] = JSON.parse(await npm("sdk", pack));
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await npm(folder, ["install", "--prefer-offline", `./${tarball.filename}`, ...packages]);
  return {
    folder,
    packed: tarball.files.map(({ path }: { path: string }) => path),
    run: (program, args) => exec(program, args, { cwd: folder }).then(printed, printed),
    remove: () => rm(folder, { recursive: true }),
  };
}

function printed({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }): string {
  return stdout + stderr;
}

async function npm(cwd: string, args: readonly string[]): Promise<string> {
  const { stdout } = await exec("npm", ["--no-audit", "--no-fund", ...args], { cwd });
  return stdout;
}
