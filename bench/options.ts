import { parseArgs } from "node:util";
import type { RunLength } from "./measurement.ts";

/** What was asked for on the command line. */
export interface BenchOptions {
  readonly rounds: number;
  readonly length: RunLength;
  /** Of looking for pgbench's best number of connections, and of warming new instances up. */
  readonly trial: RunLength;
  /** Only scenarios whose name has one of these in it; empty: all. */
  readonly only: readonly string[];
  /** Measure full tables instead: with this many payments. 0: don't. */
  readonly rows: number;
  /** A smoke run, or a part of all: its report isn't kept. */
  readonly isPartial: boolean;
}

const USAGE =
  "usage: npm run bench -- [--rounds 5] [--seconds 5] [--only name,...] [--rows 10000000] [--quick]";

/** Reads the arguments. Throws an Error with the usage if they can't be read. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parse(args);
  const quick = values.quick === true;
  const only = values.only?.split(",").filter((name) => name !== "") ?? [];
  const seconds = wholeNumber(values.seconds ?? (quick ? "1" : "5"));
  return {
    rounds: wholeNumber(values.rounds ?? (quick ? "1" : "5")),
    length: { warmMs: quick ? 300 : 2000, windowMs: seconds * 1000 },
    trial: quick ? { warmMs: 200, windowMs: 100 } : { warmMs: 1000, windowMs: 2000 },
    only,
    rows: values.rows === undefined ? 0 : wholeNumber(values.rows),
    isPartial: quick || only.length > 0,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        rounds: { type: "string" },
        seconds: { type: "string" },
        only: { type: "string" },
        rows: { type: "string" },
        quick: { type: "boolean" },
      },
    });
  } catch (cause) {
    throw new Error(USAGE, { cause });
  }
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(USAGE);
  return value;
}
