import { createDeployment } from "./deployment.ts";
import { addPayments, fundAccounts } from "./fill.ts";
import { type LoadDeps, runLoad } from "./load.ts";
import type { Measurement, RunLength } from "./measurement.ts";
import { createPgbenchTables, findBestClients, runPgbench } from "./pgbench.ts";
import type { BenchPostgres } from "./postgres.ts";
import type { PgbenchScenario, Scenario, ServiceScenario } from "./scenarios.ts";
import { type VerifiedLedger, migrateDatabase, verifyLedger } from "./service.ts";
import type { Tools } from "./tools.ts";

/** Databases and instances, put in place as the scenarios need them. */
export interface Stage {
  /** Fresh databases for a new round; the filled one is kept. */
  reset(): Promise<void>;
  measure(scenario: Scenario, length: RunLength): Promise<Measurement>;
  /** The connections with which each of pgbench's scripts was best, as far as it was asked for. */
  readonly bestClients: ReadonlyMap<PgbenchScenario["script"], number>;
  /** Has the service check the books of a database. Throws with the findings if they are wrong. */
  verify(database: ServiceScenario["database"]): Promise<VerifiedLedger>;
  stop(): Promise<void>;
}

/** What a stage is made of. */
export interface StageDeps {
  readonly postgres: BenchPostgres;
  readonly tools: Tools;
  readonly loadgen: string;
  /** Of looking for pgbench's best number of connections, and of warming new instances up. */
  readonly trial: RunLength;
  /** Payments that the filled database begins with; 0: there is none. */
  readonly rows: number;
  /** Ends whatever runs. */
  readonly signal: AbortSignal;
}

const FUNDED = "funded";
const PGBENCH = "pgbench";

/** Makes the databases that others are copied from; nothing runs on them yet. */
export async function createStage(deps: StageDeps): Promise<Stage> {
  const { postgres, signal, trial } = deps;
  const urlOf = (database: string) => postgres.url(database);
  const load: LoadDeps = { loadgen: deps.loadgen, postmaster: postgres.postmaster, signal };
  const pgbench = { ...load, tools: deps.tools, url: urlOf(PGBENCH) };
  const deployment = createDeployment({ ...load, urlOf, warmUp: trial });
  const bestClients = new Map<PgbenchScenario["script"], number>();
  await postgres.recreate(FUNDED);
  await migrateDatabase({ databaseUrl: urlOf(FUNDED), signal });
  await fundAccounts(urlOf(FUNDED));
  if (deps.rows > 0) {
    await postgres.recreate("filled", FUNDED);
    await addPayments(urlOf("filled"), deps.rows);
  }

  async function measurePgbench(scenario: PgbenchScenario, length: RunLength) {
    const { script } = scenario;
    await deployment.stop();
    if (scenario.clients === "best" && !bestClients.has(script)) {
      bestClients.set(script, await findBestClients(pgbench, script, trial));
    }
    const clients = scenario.clients === "best" ? bestClients.get(script)! : scenario.clients;
    await postgres.checkpoint();
    return runPgbench(pgbench, { ...scenario, clients }, length);
  }

  return {
    bestClients,
    async reset() {
      await deployment.stop();
      await postgres.recreate("empty", FUNDED);
      await postgres.recreate(PGBENCH);
      await createPgbenchTables(pgbench);
    },
    async measure(scenario, length) {
      if (scenario.kind === "pgbench") return measurePgbench(scenario, length);
      const target = await deployment.ensure(scenario);
      await postgres.checkpoint();
      const run = await runLoad(load, scenario, target, length);
      await deployment.check(scenario);
      return run;
    },
    verify: (database) => verifyLedger({ databaseUrl: urlOf(database), signal }),
    stop: () => deployment.stop(),
  };
}
