import { type JudgedRatio, type Ratio, type Runs, judge } from "./goals.ts";
import type { Machine } from "./machine.ts";
import { type Measurement, type Spread, cpuMicrosOf, metricOf, spreadOf } from "./measurement.ts";
import { POSTGRES_SETTINGS } from "./postgres.ts";

/** What a report says besides the numbers. */
export interface ReportFacts {
  readonly date: Date;
  readonly machine: Machine;
  readonly postgresVersion: string;
  readonly rounds: number;
  readonly windowMs: number;
  /** Sentences about this kind of run. */
  readonly notes: readonly string[];
}

/** The parts of RESULTS.md that the bench writes. */
export type Section = "rounds" | "rows";

const TITLES: Readonly<Record<Section, string>> = {
  rounds: "Payments per second",
  rows: "Full tables",
};

const EMPTY = [
  "# Benchmark",
  "",
  "Written by `npm run bench` between the marks; what stands outside them is kept.",
  "",
  ...["rounds", "rows"].flatMap((section) => [`<!-- ${section} -->`, `<!-- /${section} -->`, ""]),
  "## Where the time goes",
  "",
].join("\n");

/** The text of one section in Markdown: ratios, then every scenario. */
export function renderSection(
  section: Section,
  facts: ReportFacts,
  ratios: readonly Ratio[],
  runs: Runs,
): string {
  return [
    `## ${TITLES[section]}`,
    "",
    describe(facts, runs),
    "",
    "Medians over the rounds, with the least and the most in brackets. A ratio is taken of two runs",
    "of the same round. Only settled payments count. Latency is a call's. CPU is that of all parts.",
    "",
    ...table(RATIO_HEAD, judge(ratios, runs).map(ratioRow)),
    ...table(
      RUN_HEAD,
      [...runs].map(([name, of]) => runRow(name, of)),
    ),
  ].join("\n");
}

/**
 * The text of RESULTS.md with a section replaced; all that stands outside the section's marks is
 * kept as it is. Throws if the marks are missing. Undefined stands for a file that isn't there.
 */
export function replaceSection(text: string | undefined, section: Section, body: string): string {
  const whole = text ?? EMPTY;
  const [open, close] = [`<!-- ${section} -->\n`, `<!-- /${section} -->`];
  const start = whole.indexOf(open);
  const end = whole.indexOf(close, start);
  if (start === -1 || end === -1) throw new Error(`RESULTS.md has no marks "${open.trim()}"`);
  return `${whole.slice(0, start + open.length)}\n${body}\n${whole.slice(end)}`;
}

function describe({ date, machine, ...facts }: ReportFacts, runs: Runs): string {
  const others = spreadOf([...runs.values()].flat().map((run) => run.cpu.others / run.seconds));
  const settings = Object.entries(POSTGRES_SETTINGS).map(([name, value]) => `${name} ${value}`);
  const lines = [
    `${date.toISOString().slice(0, 10)}, Node ${process.versions.node}.`,
    `${machine.cores} cores and ${machine.memoryGiB} GiB for load generator, service and database ` +
      `together; fdatasync takes ${machine.fdatasyncMs.toFixed(2)} ms.`,
    `PostgreSQL ${facts.postgresVersion} with fsync, synchronous_commit and full_page_writes on, ` +
      `${settings.join(", ")}.`,
    `Rounds: ${facts.rounds}, in each every scenario once for ${facts.windowMs / 1000} s. Others on ` +
      `the machine used ${withRange(others, 2)} cores meanwhile.`,
    ...facts.notes,
  ];
  return lines.map((line) => `- ${line}`).join("\n");
}

const RATIO_HEAD = ["Ratio", "Measured", "Goal", ""];

function ratioRow({ text, spread, atLeast, atMost, isMet }: JudgedRatio): string[] {
  const goal = atLeast !== undefined ? `≥ ${atLeast}` : atMost !== undefined ? `≤ ${atMost}` : "";
  const verdict = isMet === undefined ? "" : isMet ? "met" : "**not met**";
  return [text, withRange(spread, 2), goal, verdict];
}

const RUN_HEAD = [
  "Scenario",
  "Payments/s",
  "p50 ms",
  "p99 ms",
  "CPU µs/payment",
  "load generator",
  "service",
  "PostgreSQL",
  "not settled",
];

function runRow(name: string, runs: readonly Measurement[]): string[] {
  const spread = (value: (run: Measurement) => number) => spreadOf(runs.map(value));
  const cpu = (part: "load" | "service" | "postgres") =>
    round(spread((run) => cpuMicrosOf(run, part)).median, 0);
  return [
    name,
    withRange(
      spread((run) => metricOf(run, "rate")),
      0,
    ),
    withRange(
      spread((run) => run.p50Ms),
      2,
    ),
    withRange(
      spread((run) => run.p99Ms),
      2,
    ),
    withRange(
      spread((run) => metricOf(run, "cpuMicros")),
      0,
    ),
    cpu("load"),
    cpu("service"),
    cpu("postgres"),
    String(runs.reduce((sum, run) => sum + run.unsettled, 0)),
  ];
}

/** One line for the terminal while the bench runs. */
export function progressLine(name: string, run: Measurement): string {
  const parts = (["load", "service", "postgres"] as const).map((part) =>
    round(cpuMicrosOf(run, part), 0),
  );
  const rate = round(metricOf(run, "rate"), 0).padStart(7);
  const latency = `p50 ${round(run.p50Ms, 2)} p99 ${round(run.p99Ms, 2)} ms`;
  return `${name.padEnd(38)}${rate}/s  ${latency.padEnd(26)} CPU ${parts.join(" + ")} µs`;
}

function withRange({ median, least, most }: Spread, digits: number): string {
  if (least === most) return round(median, digits);
  return `${round(median, digits)} (${round(least, digits)}–${round(most, digits)})`;
}

function round(value: number, digits: number): string {
  return value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const rule = head.map((_, column) => (column === 0 ? "---" : "---:"));
  if (rows.length === 0) return [];
  return [...[head, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`), ""];
}
