import { spawnSync } from "node:child_process";
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "contract-"));
  for (const path of ["proto", "gen", "buf.yaml", "buf.gen.yaml"]) {
    cpSync(path, join(folder, path), { recursive: true });
  }
  symlinkSync(resolve("tools"), join(folder, "tools")); // our own generator
});

afterEach(() => rmSync(folder, { recursive: true }));

/** The last line of the gate's steps for the contract, run on the copy. */
function gate(...steps: string[]): string {
  const bin = resolve("node_modules/.bin");
  const { stdout } = spawnSync(process.execPath, [resolve("tools/check.ts"), ...steps], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, PATH: `${bin}:${process.env["PATH"]}` },
  });
  return stdout.trimEnd().split("\n").at(-1) ?? "";
}

function edit(path: string, from: RegExp, to: string): void {
  const text = readFileSync(join(folder, path), "utf8");
  expect(text).toMatch(from);
  writeFileSync(join(folder, path), text.replace(from, to));
}

const PROTO = "proto/instantpayment/v1/payment.proto";

test("The contract as it is passes the gate", () => {
  expect(gate("proto-breaking", "generated")).toBe("check: ok");
});

test("A field that is taken out of the contract fails the gate", () => {
  edit(PROTO, /string debtor_account_id = 3;/, "");
  expect(gate("proto-breaking")).toBe("check: failed: proto-breaking");
});

test(
  "A field that is added breaks nobody, but wants its code generated",
  { timeout: 120_000 },
  () => {
    edit(PROTO, /message Payment \{/, "message Payment {\n  // New.\n  string added = 900;\n");
    expect(gate("proto-breaking")).toBe("check: ok");
    expect(gate("generated")).toBe("check: failed: generated");
  },
);

test("Generated code that was edited or left behind fails the gate", { timeout: 120_000 }, () => {
  appendFileSync(join(folder, "gen/instantpayment/v1/payment_pb.ts"), "// by hand\n");
  expect(gate("generated")).toBe("check: failed: generated");
  cpSync("gen", join(folder, "gen"), { recursive: true });
  writeFileSync(join(folder, "gen/left_pb.ts"), "");
  expect(gate("generated")).toBe("check: failed: generated");
});
