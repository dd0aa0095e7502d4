import { expect, test } from "vitest";
import { parseOptions } from "../../bench/options.ts";
import { findTools } from "../../bench/tools.ts";

test("a bench without its programs names all that are missing in one line", async () => {
  const error: unknown = await findTools(["/nowhere"]).catch((cause: unknown) => cause);
  expect(String(error)).toMatch(/^Error: pgbench, psql, go not found: install [^\n]+$/);
});

test("a quick run and a part of all are not kept as results", () => {
  expect(parseOptions([])).toMatchObject({ rounds: 5, length: { windowMs: 5000 }, rows: 0 });
  expect(parseOptions([]).isPartial).toBe(false);
  expect(parseOptions(["--rows", "10000000"])).toMatchObject({ rows: 1e7, isPartial: false });
  expect(parseOptions(["--quick"])).toMatchObject({ rounds: 1, isPartial: true });
  expect(parseOptions(["--only", "json,grpc"])).toMatchObject({
    only: ["json", "grpc"],
    isPartial: true,
  });
});

test("arguments that can't be read are refused with the usage", () => {
  for (const args of [["--bogus"], ["--rounds", "0"], ["--rows", "many"], ["--seconds", "1.5"]]) {
    expect(() => parseOptions(args)).toThrow("usage: npm run bench");
  }
});
