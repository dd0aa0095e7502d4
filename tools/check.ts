// The gate, `npm run check`: every step runs, and the last line names those that failed.
// `npm run check -- lint types` runs these two alone.
import { execFile } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

const COMMANDS: Readonly<Record<string, string>> = {
  format: "oxfmt --check .",
  lint: "oxlint --type-aware --deny-warnings",
  types: "tsc",
  unused: "knip --no-progress",
  "proto-lint": "buf lint",
  "proto-format": "buf format -d --exit-code --path proto/instantpayment",
  // Our own module against its last released image, which only `npm run baseline` changes.
  "proto-breaking": "buf breaking proto --exclude-imports --against proto/baseline.binpb",
  openapi: "redocly lint --config tools/protoc-gen-openapi/redocly.yaml gen/openapi.json",
  readme: "node tools/readme-tables.ts --check",
};

interface Result {
  readonly ok: boolean;
  readonly output: string;
}

/** Exit code and output of a program of node_modules/.bin; a shell isn't involved. */
function run(command: string): Promise<Result> {
  const [program = "", ...args] = command.split(" ");
  return new Promise((resolve) => {
    execFile(program, args, { maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const missing = error?.code === "ENOENT" ? `${program} isn't installed: run npm ci` : "";
      resolve({ ok: !error, output: `${stdout}${stderr}${missing}`.trim() });
    });
  });
}

/** Generates into a folder of its own and compares, so that nothing in the tree changes. */
async function generatedIsFresh(): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "generate-"));
  try {
    const generated = await run(`buf generate -o ${folder}`);
    if (!generated.ok) return generated;
    const made = files(folder);
    const stale = made.filter((path) => readOr(join(folder, path)) !== readOr(path));
    const left = files("gen").map((path) => join("gen", path));
    stale.push(...left.filter((path) => !made.includes(path)));
    const output = stale.map((path) => `${path} isn't what "npm run generate" makes`).join("\n");
    return { ok: stale.length === 0 && made.length > 0, output };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Paths of the files under a folder, relative to it. */
function files(root: string): string[] {
  return globSync(`${root}/**/*.*`).map((path) => relative(root, path));
}

function readOr(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

const steps: Readonly<Record<string, () => Promise<Result>>> = {
  ...Object.fromEntries(Object.entries(COMMANDS).map(([name, line]) => [name, () => run(line)])),
  generated: generatedIsFresh,
};
const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(steps);
const failed: string[] = [];
await Promise.all(
  wanted.map(async (name) => {
    const { ok, output } = (await steps[name]?.()) ?? { ok: false, output: "no such step" };
    if (ok) return;
    failed.push(name);
    console.log(`── ${name}\n${output}\n`);
  }),
);
console.log(failed.length === 0 ? "check: ok" : `check: failed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
