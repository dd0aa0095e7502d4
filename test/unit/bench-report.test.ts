import { expect, test } from "vitest";
import { ROUND_RATIOS, judge } from "../../bench/goals.ts";
import type { Measurement } from "../../bench/measurement.ts";
import { renderSection, replaceSection } from "../../bench/report.ts";
import { roundScenarios } from "../../bench/scenarios.ts";

function run(settled: number, p99Ms = 10): Measurement {
  const cpu = { load: 0.1, service: 1, postgres: 0.5, others: 0 };
  return { settled, unsettled: 0, seconds: 2, p50Ms: 5, p99Ms, cpu };
}

const facts = {
  date: new Date("2026-02-03T12:00:00Z"),
  machine: { cores: 2, memoryGiB: 24, fdatasyncMs: 0.14 },
  postgresVersion: "18.4",
  rounds: 3,
  windowMs: 5000,
  notes: ["A note."],
};

test("a ratio is the median of the rounds' own ratios and is met or not", () => {
  const runs = new Map([
    ["json-uniform-64", [run(400), run(900), run(500)]],
    ["pgbench-transfer-64", [run(100), run(300), run(500)]],
  ]);
  const [uniform, latency] = judge(ROUND_RATIOS, runs);
  expect(uniform?.spread).toEqual({ median: 3, least: 1, most: 4 });
  expect(uniform?.isMet).toBe(true);
  expect(latency?.text).toContain("p99");
  expect(latency?.isMet).toBe(true);
  const slower = new Map([...runs, ["pgbench-transfer-64", [run(300), run(600), run(500, 9)]]]);
  expect(judge(ROUND_RATIOS, slower)[0]?.isMet).toBe(false);
});

test("every ratio is of two scenarios that a round measures", () => {
  const names = roundScenarios().map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(ROUND_RATIOS.flatMap(({ of, to }) => [of, to]).filter((x) => !names.includes(x))).toEqual(
    [],
  );
});

test("a report has rate, latency and CPU by part of each scenario", () => {
  const runs = new Map([["json-uniform-64", [run(1000), run(2000), run(4000)]]]);
  const text = renderSection("rounds", facts, ROUND_RATIOS, runs);
  expect(text).toContain("- 2026-02-03, Node ");
  expect(text).toContain("2 cores and 24 GiB");
  expect(text).toContain("A note.");
  const row = text.split("\n").find((line) => line.startsWith("| json-uniform-64 "));
  const cells = row?.split("|").map((cell) => cell.trim());
  expect(cells?.slice(2, 10)).toEqual([
    "1,000 (500–2,000)",
    "5.00",
    "10.00",
    "800 (400–1,600)",
    "50",
    "500",
    "250",
    "0",
  ]);
});

test("a new run replaces its own section of RESULTS.md and keeps what people wrote", () => {
  const first = replaceSection(undefined, "rounds", "old numbers");
  const written = `${first}It goes into JSON.\n`;
  const second = replaceSection(written, "rounds", "new numbers");
  const third = replaceSection(second, "rows", "full tables");
  expect(third).toContain("new numbers");
  expect(third).toContain("full tables");
  expect(third).not.toContain("old numbers");
  expect(third).toMatch(/## Where the time goes\n+It goes into JSON\.\n$/);
  expect(() => replaceSection("no marks", "rows", "x")).toThrow("no marks");
});
