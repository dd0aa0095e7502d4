import { aptProgram } from "./apt.ts";

/**
 * The path of a Chromium: the one on PATH, or else one that apt-get installs. Throws, in one line,
 * if there is none to be had.
 */
export function chromiumPath(): Promise<string> {
  const names = ["chromium", "chromium-browser", "google-chrome"];
  return aptProgram({ title: "Chromium", names, packages: ["chromium"] });
}
