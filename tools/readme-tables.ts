// Writes the README's tables of RPCs, errors and settings from the contract and the code;
// --check only compares. Either way the SDK's README must name a method for each RPC.
import { readFileSync, writeFileSync } from "node:fs";
import { codeToHttpStatus } from "@connectrpc/connect/protocol-connect";
import { SETTINGS } from "../src/config.ts";
import type { Setting } from "../src/platform/setting-parsers.ts";
import { ERROR_CATALOGUE, type ErrorReason } from "../src/kernel/errors.ts";
import { CODE_BY_REASON, OTHER_HTTP_STATUSES } from "../src/rpc/error-codes.ts";

const reasons = Object.keys(ERROR_CATALOGUE) as ErrorReason[];
const settings = Object.entries<Setting<unknown>>(SETTINGS);

function statusesOf(reason: ErrorReason): number[] {
  const own = codeToHttpStatus(CODE_BY_REASON[reason]);
  return [own, ...(OTHER_HTTP_STATUSES[reason] ?? [])].toSorted((one, other) => one - other);
}

interface Operation {
  readonly tags: readonly [string];
  readonly summary: string;
  readonly "x-required-scope": string;
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
}

interface Path {
  readonly get?: Operation;
  readonly post: Operation;
}

// Made from the protos, with their comments; the gate's step "generated" keeps it fresh.
const openApi: { paths: Record<string, Path> } = JSON.parse(
  readFileSync("gen/openapi.json", "utf8"),
);
const rpcs = Object.entries(openApi.paths).map(([path, { get, post }]) => ({
  service: post.tags[0],
  name: path.slice(path.lastIndexOf("/") + 1),
  verbs: isStream(post) ? "stream: SDK or gRPC" : get === undefined ? "POST" : "GET, POST",
  scope: post["x-required-scope"],
  summary: post.summary,
}));

function isStream({ requestBody }: Operation): boolean {
  return requestBody?.content["application/connect+json"] !== undefined;
}

const TABLES: Readonly<Record<string, string[][]>> = {
  rpcs: [
    ["Service", "RPC", "HTTP", "Scope", "What it does"],
    ...rpcs.map(({ service, name, verbs, scope, summary }) => [
      service,
      name,
      verbs,
      `\`${scope}\``,
      summary,
    ]),
  ],
  errors: [
    ["Reason", "HTTP", "Cause", "Fix"],
    ...reasons.map((reason) => [
      `\`${reason}\``,
      statusesOf(reason).join(", "),
      ERROR_CATALOGUE[reason].cause,
      ERROR_CATALOGUE[reason].fix,
    ]),
  ],
  settings: [
    ["Setting", "Default", "Meaning"],
    ...settings.map(([name, { default: fallback, description, secret }]) => [
      `\`${name}\``,
      fallback ? `\`${fallback}\`` : "–",
      secret ? `${description} Secret.` : description,
    ]),
  ],
};

/** A table as the formatter lays it out. */
function markdown(rows: string[][]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const [head, ...body] = rows.map(
    (row) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`,
  );
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [head, rule, ...body].join("\n");
}

const before = readFileSync("README.md", "utf8");
const after = Object.entries(TABLES).reduce((text, [name, rows]) => {
  const place = new RegExp(`(<!-- ${name}:[^\n]*-->\n\n)[^]*?(\n\n<!-- /${name} -->)`);
  if (!place.test(text)) throw new Error(`README.md has no place for the table of ${name}`);
  return text.replace(place, (_, start: string, end: string) => start + markdown(rows) + end);
}, before);
const sdkMethods =
  readFileSync("sdk/README.md", "utf8")
    .match(/^\| `.*$/gm)
    ?.join("\n") ?? "";
const missing = rpcs
  .map(({ name }) => `${name.charAt(0).toLowerCase()}${name.slice(1)}`)
  .filter((method) => !sdkMethods.includes(`\`${method}(`));
if (missing.length > 0) {
  console.error(`sdk/README.md's table of methods lacks ${missing.join(", ")}`);
  process.exit(1);
}
if (process.argv.includes("--check")) {
  if (before !== after) {
    console.error(`README.md's tables aren't those of the code: run "npm run readme"`);
    process.exit(1);
  }
} else {
  writeFileSync("README.md", after);
}
