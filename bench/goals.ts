import { type Measurement, type Metric, type Spread, metricOf, spreadOf } from "./measurement.ts";

/** The runs of each scenario by its name, in the order of the rounds. */
export type Runs = ReadonlyMap<string, readonly Measurement[]>;

/** A ratio of two scenarios, and what it shall be. */
export interface Ratio {
  readonly text: string;
  readonly metric: Metric;
  readonly of: string;
  readonly to: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** A ratio as it was measured; `isMet` is about the median and undefined where there is no goal. */
export interface JudgedRatio extends Ratio {
  readonly spread: Spread;
  readonly isMet: boolean | undefined;
}

const TRANSFER = "pgbench-transfer-64";
const HOT = "pgbench-transfer_hot_last-64";
const JSON_64 = "json-uniform-64";
const HOT_64 = "json-hot-creditor-64";
const HOT_3 = `${HOT_64}-three-processes`;

/** The goals of the rounds, and ratios without a goal that are good to know. */
export const ROUND_RATIOS: readonly Ratio[] = [
  rate("JSON uniform to pgbench's transfer, 64 connections", JSON_64, TRANSFER, 2),
  rate("JSON hot creditor to pgbench's hot", "json-hot-creditor-64", HOT, 15),
  rate("JSON hot debtor to pgbench's hot", "json-hot-debtor-64", HOT, 15),
  rate("JSON hot creditor to JSON uniform", "json-hot-creditor-64", JSON_64, 0.95),
  rate("JSON hot debtor to JSON uniform", "json-hot-debtor-64", JSON_64, 0.95),
  p99("p99 of JSON uniform to pgbench's transfer", JSON_64, TRANSFER),
  p99("p99 of JSON hot creditor to pgbench's hot", "json-hot-creditor-64", HOT),
  p99("p99 of JSON hot debtor to pgbench's hot", "json-hot-debtor-64", HOT),
  rate("gRPC uniform to JSON uniform", "grpc-uniform-64", JSON_64, 0.7),
  rate("Batch RPC to pgbench's transfer", "json-batch-of-100-uniform-8", TRANSFER, 4),
  rate("gRPC hot creditor to JSON", "grpc-hot-creditor-64", "json-hot-creditor-64", 0.7),
  rate("gRPC hot debtor to JSON", "grpc-hot-debtor-64", "json-hot-debtor-64", 0.7),
  {
    text: "One lone caller: median of JSON to one pgbench transfer",
    metric: "p50Ms",
    of: "json-uniform-1",
    to: "pgbench-transfer-1",
    atMost: 1.5,
  },
  rate("JSON uniform to pgbench's transfer at its best", JSON_64, "pgbench-transfer-best"),
  rate("JSON uniform to pgbench's function at its best", JSON_64, "pgbench-transfer_fn-best"),
  rate(
    "JSON hot creditor to pgbench's hot at its best",
    "json-hot-creditor-64",
    "pgbench-transfer_hot_last-best",
  ),
  rate("JSON uniform with every event in Kafka to without", `${JSON_64}-relay`, JSON_64, 0.85),
  rate("JSON uniform with 5,000 watchers to without", `${JSON_64}-5000-watchers`, JSON_64, 0.8),
  rate("JSON uniform: two processes to one", `${JSON_64}-two-processes`, JSON_64),
  rate(
    "JSON hot creditor: two processes to one",
    "json-hot-creditor-64-two-processes",
    "json-hot-creditor-64",
  ),
  rate("Hot, one process: Redis to none", `${HOT_64}-redis`, HOT_64),
  rate(
    "Hot, two processes: Redis to none",
    `${HOT_64}-two-processes-redis`,
    `${HOT_64}-two-processes`,
  ),
  rate("Hot, three processes: Redis to none", `${HOT_3}-redis`, HOT_3, 0.8),
  { ...p99("p99 of hot, three processes: Redis to none", `${HOT_3}-redis`, HOT_3), atMost: 1.5 },
  {
    text: "Median of others beside it: Redis to none",
    metric: "p50Ms",
    of: "json-beside-hot-64-three-processes-redis",
    to: "json-beside-hot-64-three-processes",
    atMost: 1.11,
  },
];

/** What a payment may cost more when the tables are full. */
export const ROWS_RATIOS: readonly Ratio[] = ["uniform", "hot-debtor", "hot-creditor"].map(
  (pattern) => ({
    text: `CPU per payment, JSON ${pattern}: full tables to empty ones`,
    metric: "cpuMicros",
    of: `json-${pattern}-64-filled`,
    to: `json-${pattern}-64`,
    atMost: 1.3,
  }),
);

function rate(text: string, of: string, to: string, atLeast?: number): Ratio {
  return { text, metric: "rate", of, to, ...(atLeast !== undefined && { atLeast }) };
}

function p99(text: string, of: string, to: string): Ratio {
  return { text, metric: "p99Ms", of, to, atMost: 1 };
}

/** Each ratio whose two scenarios were measured, from the two runs of the same round. */
export function judge(ratios: readonly Ratio[], runs: Runs): JudgedRatio[] {
  return ratios.flatMap((ratio) => {
    const above = runs.get(ratio.of) ?? [];
    const below = runs.get(ratio.to) ?? [];
    if (above.length === 0 || above.length !== below.length) return [];
    const quotients = above.map(
      (run, round) => metricOf(run, ratio.metric) / metricOf(below[round]!, ratio.metric),
    );
    const spread = spreadOf(quotients);
    return [{ ...ratio, spread, isMet: isMet(ratio, spread.median) }];
  });
}

function isMet({ atLeast, atMost }: Ratio, value: number): boolean | undefined {
  if (atLeast !== undefined) return value >= atLeast;
  return atMost === undefined ? undefined : value <= atMost;
}
