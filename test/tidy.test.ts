import { existsSync, globSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { HOUSE } from "./house.ts";
import { breachesOf } from "./support/house-rules.ts";
import { parseSource } from "./support/source-file.ts";

/** Files of the project's own hand, parsed. */
function tree() {
  return globSync("{src,sdk,test,bench,tools}/**/*.ts", {
    exclude: (path) => /(^|\/)(node_modules|gen|dist|\.cache)(\/|$)/.test(path),
  })
    .toSorted()
    .map((path) => parseSource(path, readFileSync(path, "utf8")));
}

const breaches = (path: string, text: string) =>
  breachesOf(HOUSE, parseSource(path, text)).map(({ line, rule }) => `${line}: ${rule}`);

describe("The tree", () => {
  test("keeps every rule of the table", () => {
    const files = tree();
    const found = files
      .flatMap((file) => breachesOf(HOUSE, file))
      .map(({ path, line, rule }) => `${path}:${line}: ${rule}`);
    expect(files.length).toBeGreaterThan(5);
    expect(found).toEqual([]);
  });

  test("documents at least 95 of 100 exports", () => {
    const exported = tree()
      .filter(({ path }) => /^(src|sdk)\//.test(path) && !/(^|\/)test\//.test(path))
      .flatMap(({ path, exports }) => exports.map((one) => ({ path, ...one })));
    const missing = exported.filter(({ documented }) => !documented);
    expect(exported.length).toBeGreaterThan(5);
    expect(
      1 - missing.length / exported.length,
      missing
        .map(({ path, line, name }) => `${path}:${line}: ${name} has no doc comment`)
        .join("\n"),
    ).toBeGreaterThanOrEqual(0.95);
  });
});

test("ARCHITECTURE.md names no file that isn't there", () => {
  const text = readFileSync("ARCHITECTURE.md", "utf8");
  const named = [...text.matchAll(/`((?:src|test|proto|gen|tools|\.ci)\/[^`\s]+)`/g)].map(
    ([, path]) => path,
  );
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((path) => !existsSync(path!))).toEqual([]);
});

describe("The table goes red", () => {
  test.each<[what: string, path: string, text: string, breach: RegExp]>([
    ["kernel imports platform", "src/kernel/a.ts", `import "../platform/b.ts";`, /^1: layers/],
    ["a use case imports rpc/", "src/payments/a.ts", `import "../rpc/b.ts";`, /may not import/],
    ["the ledger imports a use case", "src/ledger/a.ts", `import "../accounts/open.ts";`, /layers/],
    ["the ledger encodes events", "src/ledger/a.ts", `import "../payments/p.event.ts";`, /layers/],
    ["rpc/ imports a use case", "src/rpc/a.ts", `import "../accounts/open.ts";`, /layers/],
    ["main goes past app", "src/main.ts", `import "./rpc/server.ts";`, /layers: entry/],
    [
      "a type crosses layers",
      "src/events/a.ts",
      `\nimport type { A } from "../ledger/b.ts";`,
      /^2/,
    ],
    ["an import() crosses layers", "src/kernel/a.ts", `await import("../app.ts");`, /layers/],
    ["the service imports a test", "src/app.ts", `import "../test/support/a.ts";`, /no layer/],
    ["the SDK imports the service", "sdk/a.ts", `import "../src/rpc/server.ts";`, /layers: sdk/],
    ["a folder is new", "src/loans/a.ts", "", /in no layer/],
    ["the ledger takes Redis", "src/ledger/a.ts", `import "../platform/redis.ts";`, /by few/],
    ["a pure file imports I/O", "src/payments/payment.ts", `import "node:fs";`, /packages: pure/],
    [
      "a pure file imports platform",
      "src/ledger/posting.ts",
      `import "../platform/x.ts";`,
      /layers: pure/,
    ],
    [
      "a pure file runs an entity",
      "src/ledger/posting.ts",
      `import { E } from "./e.entity.ts";`,
      /pure/,
    ],
    ["a pure file fetches", "src/accounts/account.ts", `const a = fetch("x");`, /roll no dice/],
    ["MikroORM is in rpc/", "src/rpc/a.ts", `import "@mikro-orm/core";`, /libraries: @mikro-orm/],
    ["Connect is in a use case", "src/payments/a.ts", `import "@connectrpc/connect";`, /libraries/],
    ["gen/ is in the ledger", "src/ledger/a.ts", `import "../../gen/a_pb.ts";`, /libraries: gen/],
    ["a library is new", "src/rpc/a.ts", `import "left-pad";`, /has no home/],
    ["an extension is missing", "src/rpc/a.ts", `import "./b";`, /lacks .ts/],
    ["a file is a barrel", "src/rpc/a.ts", `export * from "./b.ts";`, /barrel/],
    ["names are re-exported", "src/rpc/a.ts", `export { b } from "./b.ts";`, /barrel/],
    ["a file is called index", "src/rpc/index.ts", "", /barrel/],
    ["a folder is called utils", "src/rpc/utils/a.ts", "", /"utils" says nothing/],
    ["a file is called helpers", "test/support/db-helpers.ts", "", /"db-helpers" says nothing/],
    ["the environment is read", "src/app.ts", `const a = process.env["A"];`, /environment/],
    ["process is imported", "src/app.ts", `import { env } from "node:process";`, /node:process/],
    ["Date.now() is read", "src/rpc/a.ts", `\n\nconst f = () => Date.now();`, /^3: only clock/],
    ["new Date() is read", "src/rpc/a.ts", "const f = () => new Date();", /only clock/],
    ["a transaction is opened", "src/ledger/a.ts", "em.transactional(f);", /opens transactions/],
    ["BEGIN is sent", "src/ledger/a.ts", `client.query("begin isolation level x");`, /opens/],
    [
      "Kafka is awaited in a transaction",
      "src/events/a.ts",
      "await unitOfWork.transaction(async (em) => {\n  await publisher.publish(em);\n});",
      /^2: nobody awaits/,
    ],
    ["a balance is assigned", "src/payments/a.ts", "account.postedMinor -= 1n;", /balance/],
    ["SQL writes one", "src/app.ts", "`update account a set held_minor = ${b}`;", /balance/],
    ["a module has a let", "src/rpc/a.ts", "export let a = 1;", /module-level state/],
    ["a module has a cache", "src/rpc/a.ts", "const a = new Map<string, string>();", /state/],
    ["a file has 251 lines", "test/a.test.ts", "\n".repeat(251), /^251: length/],
    ["main.ts has 41 lines", "src/main.ts", "\n".repeat(41), /^41: length/],
    ["a test is skipped", "test/unit/a.test.ts", `test.skip("a", f);`, /each test runs/],
  ])("when %s", (_what, path, text, breach) => {
    expect(breaches(path, text)).toEqual([expect.stringMatching(breach)]);
  });

  test("but not at what each home may do", () => {
    expect(breaches("src/config.ts", `const a = process.env["A"];`)).toEqual([]);
    expect(breaches("src/kernel/clock.ts", "const f = () => Date.now();")).toEqual([]);
    expect(
      breaches("src/rpc/a.ts", "const at = new Date(5); const m = new Map([[1, 2]]);"),
    ).toEqual([]);
    expect(breaches("src/platform/unit-of-work.ts", "em.transactional(f);")).toEqual([]);
    expect(
      breaches("src/events/a.ts", "await publisher.publish(rows); await u.transaction(f);"),
    ).toEqual([]);
    expect(breaches("src/ledger/a.ts", `import "./posting.ts"; account.heldMinor = 1n;`)).toEqual(
      [],
    );
    expect(breaches("src/ledger/posting.ts", `import type { E } from "./e.entity.ts";`)).toEqual(
      [],
    );
    expect(breaches("src/payments/a.rpc.ts", `import "../../gen/a_pb.ts";`)).toEqual([]);
  });

  test("at an export without a doc comment, however it is exported", () => {
    const text = `
      /** Yes. */
      export const yes = 1;
      // A line comment is none.
      export const no = 1;
      /** Of the overload. */
      export function over(a: string): void;
      export function over(a: unknown): void {}
      /** At its declaration. */
      interface Far {}
      type Bare = 1;
      export type { Far, Bare };
    `;
    const documented = parseSource("src/kernel/a.ts", text).exports.map((one) => [
      one.name,
      one.documented,
    ]);
    expect(documented).toEqual([
      ["yes", true],
      ["no", false],
      ["over", true],
      ["Far", true],
      ["Bare", false],
    ]);
  });
});
