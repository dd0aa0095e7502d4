import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
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

/** What the gate's step for the contract says of the copy. */
function gate(step: string): string {
  const bin = resolve("node_modules/.bin");
  return spawnSync(process.execPath, [resolve("tools/check.ts"), step], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, PATH: `${bin}:${process.env["PATH"]}` },
  }).stdout;
}

function edit(path: string, from: RegExp, to: string): void {
  const text = readFileSync(join(folder, path), "utf8");
  expect(text).toMatch(from);
  writeFileSync(join(folder, path), text.replace(from, to));
}

const PROTO = "proto/instantpayment/v1/payment.proto";

test("A field that is added to the contract breaks nobody", () => {
  edit(PROTO, /message Payment \{/, "message Payment {\n  // New.\n  string added = 900;\n");
  expect(gate("proto-breaking")).toBe("check: ok\n");
});

test("A field that is taken out of the contract fails the gate", () => {
  edit(PROTO, /string debtor_account_id = 3;/, "");
  expect(gate("proto-breaking")).toMatch(
    /"debtor_account_id".*deleted[\s\S]*failed: proto-breaking/,
  );
});

test("Generated code that is stale or left behind fails the gate, by name", () => {
  edit(PROTO, /message Payment \{/, "message Payment {\n  // New.\n  string added = 900;\n");
  writeFileSync(join(folder, "gen/left_pb.ts"), "");
  const said = gate("generated");
  expect(said).toContain("gen/instantpayment/v1/payment_pb.ts isn't");
  expect(said).toContain("gen/left_pb.ts isn't");
  expect(said).not.toContain("money_pb.ts");
  expect(said).toContain("check: failed: generated");
}, 60_000);
