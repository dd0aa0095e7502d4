import { run } from "./process-service.ts";
import { findProgram } from "./service.ts";

/**
 * The path of a Chromium: the one on PATH, or else one that apt-get installs. Throws, in one line,
 * if there is none to be had.
 */
export async function chromiumPath(): Promise<string> {
  const onPath = findChromium();
  if (onPath) return onPath;
  const aptGet = findProgram("apt-get");
  if (!aptGet) throw new Error("Chromium is missing: install chromium or google-chrome");
  await run(aptGet, "-qq", "update");
  await run(aptGet, "-qq", "-y", "install", "--no-install-recommends", "chromium");
  const installed = findChromium();
  if (!installed) throw new Error("Chromium is missing: apt-get has none for this machine");
  return installed;
}

function findChromium(): string | undefined {
  return findProgram("chromium", "chromium-browser", "google-chrome");
}
