import { readFile } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { type Ended, run } from "../support/service-process.ts";

// Each starts several processes, and the machine may be busy.
vi.setConfig({ testTimeout: 90_000 });

function instantPayment(args: string[]): Promise<Ended> {
  return run(["npx", "--no", "--", "instant-payment", ...args], {}).ended;
}

test("a misused command line exits with 64 and a line that names the commands", async () => {
  const [unknown, option, none, help] = await Promise.all([
    instantPayment(["settle"]),
    instantPayment(["verify", "--loud"]),
    instantPayment([]),
    instantPayment(["migrate", "--help"]),
  ]);
  for (const [ended, reason] of [
    [unknown, "what is 'settle'?"],
    [option, "Unknown option '--loud'"],
    [none, "a command is missing"],
  ] as const) {
    const line = `instant-payment: ${reason}; the commands are serve, migrate, verify`;
    expect(ended).toMatchObject({ code: 64, stderr: expect.stringMatching(/^.*, see --help\n$/) });
    expect(ended.stderr.startsWith(line), ended.stderr).toBe(true);
  }
  expect(help).toMatchObject({ code: 0, stderr: "" });
  expect(help.stdout).toContain("usage: instant-payment migrate [--json] [--help]");
});

test("--version, and --help for a group of commands, print what they say", async () => {
  const [version, keys, events, unknown, foreign] = await Promise.all([
    instantPayment(["--version"]),
    instantPayment(["keys", "--help"]),
    instantPayment(["events", "-h"]),
    instantPayment(["key", "--help"]),
    instantPayment(["verify", "--version"]),
  ]);
  const packed = JSON.parse(await readFile("package.json", "utf8"));
  expect(version).toEqual({ code: 0, stdout: `${packed.version}\n`, stderr: "" });
  expect(keys).toMatchObject({ code: 0, stderr: "" });
  expect(keys.stdout).toMatch(/^usage: instant-payment keys <command> /);
  expect(keys.stdout.match(/^ {2}\S+ \S+/gm)).toEqual([
    "  keys create",
    "  keys list",
    "  keys rotate",
    "  keys revoke",
  ]);
  expect(events.stdout).toContain("  events tail  Show");
  expect(unknown).toMatchObject({ code: 64, stderr: expect.stringContaining("what is 'key'?") });
  expect(foreign.stderr).toMatch(/^instant-payment: 'verify' has no option --version; .*\n$/);
});
