import type { CpuUse } from "./cpu.ts";

/** What one run gave, counted in its window alone. */
export interface Measurement {
  /** Payments that were SETTLED; pgbench: transactions that were committed. */
  readonly settled: number;
  /** Payments that were asked for and not settled: declined or refused. */
  readonly unsettled: number;
  readonly seconds: number;
  /** Of calls, in milliseconds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpu: CpuUse;
}

/** How long a run lasts, in milliseconds. */
export interface RunLength {
  /** Before anything is counted. */
  readonly warmMs: number;
  readonly windowMs: number;
}

/** A number that is read off a run. */
export type Metric = "rate" | "p50Ms" | "p99Ms" | "cpuMicros";

/** Settled payments a second, latency in ms, or CPU time of all parts for a payment in µs. */
export function metricOf(run: Measurement, metric: Metric): number {
  if (metric === "rate") return run.settled / run.seconds;
  if (metric === "cpuMicros") {
    return cpuMicrosOf(run, "load") + cpuMicrosOf(run, "service") + cpuMicrosOf(run, "postgres");
  }
  return run[metric];
}

/** CPU time of one part for a settled payment, in µs. */
export function cpuMicrosOf(run: Measurement, part: "load" | "service" | "postgres"): number {
  return (run.cpu[part] / run.settled) * 1e6;
}

/** Middle and ends of what the rounds gave. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Of at least one value. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (i: number) => sorted[i] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  const median = (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
  return { median, least: at(0), most: at(sorted.length - 1) };
}
