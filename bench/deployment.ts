import { randomBytes } from "node:crypto";
import { type LoadDeps, runLoad } from "./load.ts";
import type { RunLength } from "./measurement.ts";
import type { ServiceScenario } from "./scenarios.ts";
import { type Service, startService } from "./service.ts";

/** The instances that run at a time. */
export interface Deployment {
  /** Those that the scenario needs, warm; others are stopped first. */
  ensure(scenario: ServiceScenario): Promise<readonly Service[]>;
  stop(): Promise<void>;
}

/** What instances are started with. */
export interface DeploymentDeps extends LoadDeps {
  readonly urlOf: (database: ServiceScenario["database"]) => string;
  /** Of the load that new instances get before they're measured. */
  readonly warmUp: RunLength;
}

/** Nothing runs until it's asked for. */
export function createDeployment(deps: DeploymentDeps): Deployment {
  const apiKey = randomBytes(24).toString("hex");
  let services: Service[] = [];
  let current = "";

  async function stop(): Promise<void> {
    const running = services;
    services = [];
    current = "";
    await Promise.all(running.map((service) => service.stop()));
  }

  /** Node compiles what runs often: as long as it does, it is slower than it will be. */
  async function warmUp(scenario: ServiceScenario): Promise<void> {
    for (const protocol of ["grpc", "json"] as const) {
      const load = { ...scenario, name: "warm-up", protocol, pattern: "uniform" } as const;
      await runLoad(deps, load, services, deps.warmUp);
    }
  }

  return {
    async ensure(scenario) {
      const wanted = `${scenario.processes} on ${scenario.database}`;
      if (wanted === current) return services;
      await stop();
      const databaseUrl = deps.urlOf(scenario.database);
      for (let i = 0; i < scenario.processes; i++) {
        services.push(await startService(databaseUrl, apiKey));
      }
      await warmUp({ ...scenario, callers: 64, batch: 0 });
      current = wanted;
      return services;
    },
    stop,
  };
}
