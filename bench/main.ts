// npm run bench: measures the service against hand-written SQL, writes RESULTS.md.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROUND_RATIOS, ROWS_RATIOS } from "./goals.ts";
import { describeMachine } from "./machine.ts";
import { type BenchOptions, parseOptions } from "./options.ts";
import { CACHE, startPostgres } from "./postgres.ts";
import { renderSection, replaceSection } from "./report.ts";
import { runRounds } from "./rounds.ts";
import { type Scenario, roundScenarios, rowsScenarios } from "./scenarios.ts";
import { type Stage, createStage } from "./stage.ts";
import { buildLoadgen, findTools } from "./tools.ts";

const RESULTS = join(import.meta.dirname, "RESULTS.md");

async function main(options: BenchOptions, signal: AbortSignal): Promise<void> {
  const { rows, trial } = options;
  const scenarios = chooseScenarios(options);
  const tools = await findTools();
  const loadgen = await buildLoadgen(tools.go);
  await using resources = new AsyncDisposableStack();
  const postgres = await startPostgres();
  resources.defer(() => postgres.stop());
  if (rows > 0) print(`filling tables with ${rows} payments`);
  const stage = await createStage({ postgres, tools, loadgen, trial, rows, signal });
  resources.defer(() => stage.stop());
  const body = await report(stage, options, scenarios, postgres.version);
  if (options.isPartial) {
    print(`\n${body}`);
    return;
  }
  const before = await readFile(RESULTS, "utf8").catch(() => undefined);
  await writeFile(RESULTS, replaceSection(before, rows > 0 ? "rows" : "rounds", body));
  print("written to bench/RESULTS.md");
}

function chooseScenarios({ rows, only }: BenchOptions): Scenario[] {
  const all = rows > 0 ? rowsScenarios() : roundScenarios();
  const names = new Set(all.map(({ name }) => name));
  const isMeant = (name: string, part: string) =>
    names.has(part) ? name === part : name.includes(part);
  const chosen = all.filter(
    ({ name }) => only.length === 0 || only.some((part) => isMeant(name, part)),
  );
  if (chosen.length > 0) return chosen;
  throw new Error(`no such scenario; there are ${all.map(({ name }) => name).join(", ")}`);
}

async function report(
  stage: Stage,
  { rounds, length, rows }: BenchOptions,
  scenarios: readonly Scenario[],
  postgresVersion: string,
): Promise<string> {
  const machine = await describeMachine(CACHE);
  const runs = await runRounds(stage, { scenarios, rounds, length }, print);
  const isServed = scenarios.some(({ kind }) => kind === "service");
  const notes = await notesOf(stage, rows, isServed);
  const { windowMs } = length;
  const facts = { date: new Date(), machine, postgresVersion, rounds, windowMs, notes };
  return rows > 0
    ? renderSection("rows", facts, ROWS_RATIOS, runs)
    : renderSection("rounds", facts, ROUND_RATIOS, runs);
}

async function notesOf(stage: Stage, rows: number, isServed: boolean): Promise<string[]> {
  const notes = [...stage.bestClients].map(
    ([script, clients]) => `pgbench's ${script} was at its best with ${clients} connections.`,
  );
  if (rows > 0) notes.push(`The full tables began with ${rows.toLocaleString("en")} payments.`);
  return isServed ? [...notes, await checkBooks(stage, rows > 0 ? "filled" : "empty")] : notes;
}

/** The numbers are of no use if the money isn't right: then the bench fails, and tells it. */
async function checkBooks(stage: Stage, database: "filled" | "empty"): Promise<string> {
  await stage.stop();
  try {
    const { payments, entries } = await stage.verify(database);
    const counts = `${payments} payments, ${entries} entries`;
    return `At the end the service found its books right: ${counts}.`;
  } catch (error) {
    process.exitCode = 1;
    process.stderr.write(`bench: ${String(error)}\n`);
    return "**At the end the service didn't find its books right.**";
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupted.abort());
try {
  await main(parseOptions(process.argv.slice(2)), interrupted.signal);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`bench: ${interrupted.signal.aborted ? "interrupted" : message}\n`);
  process.exitCode = 1;
}
