import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type CpuUse, startCpuMeter } from "./cpu.ts";
import type { Measurement, RunLength } from "./measurement.ts";
import type { ServiceScenario } from "./scenarios.ts";
import type { Service } from "./service.ts";

/** What the load generator is run with. */
export interface LoadDeps {
  readonly loadgen: string;
  readonly postmaster: number;
  readonly signal: AbortSignal;
}

/** Instances to send payments to, with a key that works on all of them. */
export interface Target {
  readonly services: readonly Service[];
  readonly apiKey: string;
}

interface LoadgenResult {
  readonly settled: number;
  readonly sent: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly refusals: Readonly<Record<string, number>>;
}

/** Runs one scenario against instances. Throws if a connection broke. */
export async function runLoad(
  deps: LoadDeps,
  scenario: ServiceScenario,
  { services, apiKey }: Target,
  { warmMs, windowMs }: RunLength,
): Promise<Measurement> {
  const loadgen = spawn(
    deps.loadgen,
    [
      `-addresses=${services.map((service) => service.address).join(",")}`,
      `-protocol=${scenario.protocol}`,
      `-pattern=${scenario.pattern}`,
      `-callers=${scenario.callers}`,
      `-batch=${scenario.batch}`,
      `-rate=${scenario.callsPerSecond}`,
      `-warm=${warmMs}ms`,
      `-window=${windowMs}ms`,
    ],
    {
      env: { API_KEY: apiKey },
      signal: deps.signal,
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const ended = once(loadgen, "close");
  // An interruption is thrown where it's awaited.
  ended.catch(() => undefined);
  const pids = {
    load: loadgen.pid ?? 0,
    services: services.map((service) => service.pid),
    postmaster: deps.postmaster,
  };
  let stopMeter: (() => CpuUse) | undefined;
  let cpu: CpuUse | undefined;
  let result: LoadgenResult | undefined;
  for await (const line of createInterface({ input: loadgen.stdout })) {
    if (line === "measuring") stopMeter = startCpuMeter(pids);
    else if (line === "measured") cpu = stopMeter?.();
    else result = JSON.parse(line);
  }
  const [code] = await ended;
  if (code !== 0 || cpu === undefined || result === undefined) {
    throw new Error(`${scenario.name}: the load generator failed (exit code ${code})`);
  }
  for (const [refusal, n] of Object.entries(result.refusals)) {
    process.stderr.write(`${scenario.name}: ${n} × ${refusal}\n`);
  }
  const { settled, sent, seconds, p50Ms, p99Ms } = result;
  return { settled, unsettled: sent - settled, seconds, p50Ms, p99Ms, cpu };
}
