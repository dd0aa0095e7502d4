import { beforeAll, expect, test } from "vitest";
import {
  installConformanceRunner,
  runConformance,
  type ConformanceRunner,
} from "./conformance/runner.ts";

/** Cases that aren't for us, and why. */
const SKIPPED: Readonly<Record<string, string>> = {
  "**/server-stream/unknown": "the catalogue of errors doesn't use the code",
  "**/server-stream/out-of-range": "the catalogue of errors doesn't use the code",
  "**/server-stream/data-loss": "the catalogue of errors doesn't use the code",
  "**/unary/unknown": "the catalogue of errors doesn't use the code",
  "**/unary/out-of-range": "the catalogue of errors doesn't use the code",
  "**/unary/data-loss": "the catalogue of errors doesn't use the code",
  "Errors/**/error-with-metadata": "an error of the catalogue has no headers of its own",
  "Duplicate Metadata/**/unary/error": "an error of the catalogue has no headers of its own",
  "**/unexpected-compressed-message":
    "a bad frame is the caller's fault and so invalid_argument; internal is for faults of ours",
};

/** What the runner may complain of, and why. */
const ACCEPTED: readonly [complaint: RegExp, why: string][] = [
  [/^actual error contain \d+ details; expecting \d+$/, "our details are those of google.rpc"],
  [/^actual error detail #\d+ does not match/, "our details are those of google.rpc"],
  [
    /^connect error JSON: details\[\d+\]: could not check debug data .* "google\.rpc\./,
    "the runner doesn't know them",
  ],
  [
    /^actual error \{code: 13 \(internal\), message: "internal error"\} does not match expected message/,
    "of a fault nobody is told more",
  ],
];

let runner: ConformanceRunner;
beforeAll(async () => {
  runner = await installConformanceRunner();
}, 600_000);

test("unary calls and server streams keep to Connect, gRPC and gRPC-Web, by Connect's own cases", async () => {
  const command = [process.execPath, "test/full/conformance/server.ts", runner.descriptors];
  const config = "test/full/conformance/config.yaml";
  const { total, failures } = await runConformance(
    runner.program,
    config,
    Object.keys(SKIPPED),
    command,
  );
  const wrong = failures
    .map(({ name, complaints }) => ({
      name,
      complaints: complaints.filter((each) => !ACCEPTED.some(([accepted]) => accepted.test(each))),
      none: complaints.length === 0,
    }))
    .filter(({ complaints, none }) => none || complaints.length > 0);
  expect(wrong).toEqual([]);
  expect(total).toBeGreaterThan(1_100);
}, 300_000);
