import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Podman } from "./services/podman.ts";
import { findProgram } from "./services/service.ts";

/** What the Dockerfile's commands need besides Node and npm. */
const PROGRAMS = ["sh", "find", "cat", "id", "env"];
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

/**
 * Makes images under the names of the Dockerfile's bases: this machine's Node, npm and a handful of
 * its programs, for no registry is needed then. They show that the Dockerfile's steps work and what
 * comes of them runs; they aren't the official images, and what's made of them is for tests alone.
 */
export async function makeStandInBases(podman: Podman, names: readonly string[]): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "stand-in-"));
  const copy = (from: string, to = from) => {
    mkdirSync(join(root, dirname(to)), { recursive: true });
    copyFileSync(realpathSync(from), join(root, to));
  };
  const programs = PROGRAMS.map((name) => ({ name, path: findProgram(name) ?? name }));
  for (const { name, path } of programs) copy(path, `usr/bin/${name}`);
  copy(process.execPath, "usr/local/bin/node");
  for (const library of librariesOf([process.execPath, ...programs.map(({ path }) => path)])) {
    copy(library);
  }
  // …/npm/bin/npm-cli.js
  const npm = dirname(dirname(realpathSync(findProgram("npm") ?? "npm")));
  cpSync(npm, join(root, "usr/local/lib/node_modules/npm"), { recursive: true });
  symlinkSync("../lib/node_modules/npm/bin/npm-cli.js", join(root, "usr/local/bin/npm"));
  symlinkSync("usr/bin", join(root, "bin"));
  mkdirSync(join(root, "tmp"), { mode: 0o1777 });
  mkdirSync(join(root, "root"));
  mkdirSync(join(root, "etc"), { recursive: true });
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\n");
  // `npm ci` trusts whom this machine trusts.
  copy(CERTIFICATES);
  const environment = ["PATH=/usr/local/bin:/usr/bin", `NODE_EXTRA_CA_CERTS=${CERTIFICATES}`];
  const changes = environment.map((variable) => `--change=ENV ${variable}`);
  const archive = `${root}.tar`;
  execFileSync("tar", ["-C", root, "-cf", archive, "."]);
  const [first = "", ...others] = names;
  await podman.output("import", "--quiet", ...changes, archive, first);
  for (const name of others) await podman.output("tag", first, name);
  rmSync(root, { recursive: true });
  rmSync(archive);
}

function librariesOf(programs: readonly string[]): Set<string> {
  const listed = programs.map((program) => execFileSync("ldd", [program], { encoding: "utf8" }));
  return new Set(listed.join("\n").match(/\/\S+\.so\S*/g));
}
