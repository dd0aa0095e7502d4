import type { Measurement, RunLength } from "./measurement.ts";
import { progressLine } from "./report.ts";
import type { Scenario } from "./scenarios.ts";
import type { Stage } from "./stage.ts";

/** What is run, how often and how long. */
export interface RoundsPlan {
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  readonly length: RunLength;
}

/**
 * Runs all scenarios in turn, round for round, every second one backwards, so that whatever drifts
 * meets them all. Returns each scenario's runs by its name. Throws
 * if one settled nothing.
 */
export async function runRounds(
  stage: Stage,
  plan: RoundsPlan,
  print: (line: string) => void,
): Promise<Map<string, Measurement[]>> {
  const runs = new Map<string, Measurement[]>(plan.scenarios.map(({ name }) => [name, []]));
  for (let round = 1; round <= plan.rounds; round++) {
    print(`round ${round} of ${plan.rounds}`);
    await stage.reset();
    for (const scenario of round % 2 === 1 ? plan.scenarios : plan.scenarios.toReversed()) {
      const run = await stage.measure(scenario, plan.length);
      if (run.settled === 0) throw new Error(`${scenario.name}: not one payment was settled`);
      print(progressLine(scenario.name, run));
      runs.get(scenario.name)?.push(run);
    }
  }
  return runs;
}
