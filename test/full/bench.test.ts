import { execFile } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const LIMIT_MS = 300_000;

/** Runs the bench for a moment, as a user would, and returns what it printed. */
async function bench(...args: string[]): Promise<string> {
  const command = ["run", "--silent", "bench", "--", "--quick", ...args];
  const { stdout } = await promisify(execFile)("npm", command);
  return stdout;
}

/** Payments a second by scenario, from the table of a report. */
function rates(report: string): Record<string, number> {
  const rows = report.split("\n").filter((line) => /^\| (pgbench|json|grpc)-/.test(line));
  return Object.fromEntries(
    rows.map((row) => {
      const [, name = "", rate = ""] = row.split("|").map((cell) => cell.trim());
      return [name, Number(rate.replaceAll(",", ""))];
    }),
  );
}

const results = () => readFile("bench/RESULTS.md", "utf8").catch(() => "none");
const leftovers = async () => (await readdir(".cache")).filter((name) => name.startsWith("bench-"));

test(
  "the bench measures hand-written SQL and the service over each protocol on one PostgreSQL",
  async () => {
    const before = await results();
    const names = [
      "pgbench-transfer_fn-best",
      "pgbench-transfer_hot_last-64",
      "json-uniform-8",
      "grpc-hot-debtor-8",
      "json-batch-of-100-uniform-8",
      "grpc-batch-of-100-uniform-8",
      "json-hot-debtor-64-two-processes",
    ];
    const report = await bench("--only", names.join(","));
    const measured = rates(report);
    expect(Object.keys(measured).toSorted()).toEqual(names.toSorted());
    expect(Object.values(measured).every((rate) => rate > 0)).toBe(true);
    expect(report.match(/^\| (json|grpc)-.*\| 0 \|$/gm)).toHaveLength(5);
    expect(report).toContain("the service found its books right");
    expect(await results()).toBe(before);
    expect(await leftovers()).toEqual([]);
  },
  LIMIT_MS,
);

test(
  "the bench compares full tables with empty ones",
  async () => {
    const report = await bench("--rows", "20000", "--only", "json-uniform");
    expect(Object.keys(rates(report))).toEqual(["json-uniform-64", "json-uniform-64-filled"]);
    expect(report).toMatch(/CPU per payment, JSON uniform: full tables to empty ones \| [\d.]+ \|/);
  },
  LIMIT_MS,
);
