// npm run bench: measures the service against hand-written SQL, writes RESULTS.md.
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROUND_RATIOS, ROWS_RATIOS } from "./goals.ts";
import { describeMachine } from "./machine.ts";
import { type BenchOptions, parseOptions } from "./options.ts";
import { startPostgres } from "./postgres.ts";
import { renderSection, replaceSection } from "./report.ts";
import { runRounds } from "./rounds.ts";
import { roundScenarios, rowsScenarios } from "./scenarios.ts";
import { type Stage, createStage } from "./stage.ts";
import { buildLoadgen, findTools } from "./tools.ts";

const RESULTS = join(import.meta.dirname, "RESULTS.md");

async function main(options: BenchOptions, signal: AbortSignal): Promise<void> {
  const tools = await findTools();
  const loadgen = await buildLoadgen(tools.go);
  await using resources = new AsyncDisposableStack();
  const postgres = await startPostgres();
  resources.defer(() => postgres.stop());
  const { rows, trial } = options;
  if (rows > 0) print(`filling tables with ${rows} payments`);
  const stage = await createStage({ postgres, tools, loadgen, trial, rows, signal });
  resources.defer(() => stage.stop());
  const body = await report(stage, options, postgres.version);
  if (options.isPartial) {
    print(`\n${body}`);
    return;
  }
  const before = await readFile(RESULTS, "utf8").catch(() => undefined);
  await writeFile(RESULTS, replaceSection(before, rows > 0 ? "rows" : "rounds", body));
  print(`written to ${RESULTS}`);
}

async function report(stage: Stage, options: BenchOptions, version: string): Promise<string> {
  const { rounds, length, only, rows } = options;
  const all = rows > 0 ? rowsScenarios() : roundScenarios();
  const scenarios = all.filter(
    ({ name }) => only.length === 0 || only.some((part) => name.includes(part)),
  );
  if (scenarios.length === 0) {
    throw new Error(`no such scenario; there are: ${all.map(({ name }) => name).join(", ")}`);
  }
  const machine = await describeMachine(tmpdir());
  const runs = await runRounds(stage, { scenarios, rounds, length }, print);
  const notes = await notesOf(
    stage,
    rows,
    scenarios.some(({ kind }) => kind === "service"),
  );
  return renderSection(
    rows > 0 ? "rows" : "rounds",
    {
      date: new Date(),
      machine,
      postgresVersion: version,
      rounds,
      windowMs: length.windowMs,
      notes,
    },
    rows > 0 ? ROWS_RATIOS : ROUND_RATIOS,
    runs,
  );
}

async function notesOf(stage: Stage, rows: number, ofService: boolean): Promise<string[]> {
  const notes = [...stage.bestClients].map(
    ([script, clients]) => `pgbench's ${script} was at its best with ${clients} connections.`,
  );
  if (!ofService) return notes;
  await stage.stop();
  const { payments, entries } = await stage.verify(rows > 0 ? "filled" : "empty");
  return [
    ...notes,
    `At the end the service found its books right: ${payments} payments, ${entries} entries.`,
  ];
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
