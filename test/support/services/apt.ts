import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./process-service.ts";
import { findProgram } from "./service.ts";

/** A program and how Debian and its like have it. */
export interface AptProgram {
  /** For messages: `Chromium`. */
  readonly title: string;
  /** Names that it has on PATH. */
  readonly names: readonly string[];
  readonly packages: readonly string[];
}

/**
 * The path of a program: the one on PATH, or else one that apt-get installs. Throws, in one line, if
 * there is none to be had.
 */
export async function aptProgram({ title, names, packages }: AptProgram): Promise<string> {
  const onPath = findProgram(...names);
  if (onPath) return onPath;
  const aptGet = findProgram("apt-get");
  if (!aptGet) throw new Error(`${title} is missing: install ${packages.join(" ")}`);
  // One at a time: test files run beside each other.
  const apt = (...args: string[]) =>
    run("flock", join(tmpdir(), "instant-payment-apt"), aptGet, "-qq", ...args);
  await apt("update");
  await apt("-y", "install", "--no-install-recommends", ...packages);
  const installed = findProgram(...names);
  if (!installed) throw new Error(`${title} is missing: apt-get has none for this machine`);
  return installed;
}
