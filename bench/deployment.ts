import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { startRedis, type RedisService } from "../test/support/services/redis.ts";
import { OWNER } from "./fill.ts";
import { type LoadDeps, type Target, runLoad } from "./load.ts";
import type { RunLength } from "./measurement.ts";
import type { ServiceScenario } from "./scenarios.ts";
import { type EventRelay, startRelay } from "./relay.ts";
import { type Service, makeOwnerKey, startService } from "./service.ts";
import { openWatchers, type Watchers } from "./watchers.ts";

/** The instances that run at a time. */
export interface Deployment {
  /** Those that the scenario needs, warm; others are stopped first. */
  ensure(scenario: ServiceScenario): Promise<Target>;
  /**
   * Throws if the relay has fallen behind, or if a watcher has lost its stream: what they cost must
   * be counted in.
   */
  check(scenario: ServiceScenario): Promise<void>;
  stop(): Promise<void>;
}

/** About half a second's payments. */
const MAX_BEHIND = 4_000;

async function residentMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

/** What instances are started with. */
export interface DeploymentDeps extends LoadDeps {
  readonly urlOf: (database: ServiceScenario["database"]) => string;
  /** Of the load that new instances get before they're measured. */
  readonly warmUp: RunLength;
}

/** Nothing runs until it's asked for. */
export function createDeployment(deps: DeploymentDeps): Deployment {
  const adminKey = randomBytes(24).toString("hex");
  let services: Service[] = [];
  let relay: EventRelay | undefined;
  let watchers: Watchers | undefined;
  let redis: RedisService | undefined;
  let apiKey = "";
  let current = "";

  async function stop(): Promise<void> {
    const running = [...services, ...(relay ? [relay] : []), ...(redis ? [redis] : [])];
    await watchers?.stop();
    watchers = undefined;
    services = [];
    relay = undefined;
    redis = undefined;
    current = "";
    await Promise.all(running.map((service) => service.stop()));
  }

  /** Node compiles what runs often: as long as it does, it is slower than it will be. */
  async function warmUp(scenario: ServiceScenario): Promise<void> {
    for (const protocol of ["grpc", "json"] as const) {
      const load = { ...scenario, name: "warm-up", protocol, pattern: "uniform" } as const;
      await runLoad(deps, load, { services, apiKey }, deps.warmUp);
    }
  }

  /** Tells what the streams cost before anything is paid. */
  async function openMeasured({ address, pid }: Service, count: number): Promise<Watchers> {
    const before = await residentMib(pid);
    const opened = await openWatchers({ address, apiKey }, count);
    const more = Math.round((await residentMib(pid)) - before);
    process.stderr.write(`${count} watchers: ${more} MiB more in the service\n`);
    return opened;
  }

  return {
    async ensure(scenario) {
      const { processes, database, redis: hasRedis, relay: hasRelay } = scenario;
      const wanted = `${processes} on ${database}, Redis: ${hasRedis}, relay: ${hasRelay}, watchers: ${scenario.watchers}`;
      if (wanted === current) return { services, apiKey };
      await stop();
      const databaseUrl = deps.urlOf(database);
      if (hasRedis) redis = await startRedis({ own: true });
      for (let i = 0; i < processes; i++) {
        const settings: Record<string, string> = redis ? { REDIS_URL: redis.url } : {};
        services.push(await startService(databaseUrl, adminKey, settings));
      }
      if (hasRelay) relay = await startRelay(databaseUrl);
      apiKey = await makeOwnerKey(OWNER, { databaseUrl, signal: deps.signal });
      await warmUp({ ...scenario, callers: 64, batch: 0 });
      await relay?.untilPublished();
      if (scenario.watchers > 0) watchers = await openMeasured(services[0]!, scenario.watchers);
      current = wanted;
      return { services, apiKey };
    },
    async check({ name, relay: isWanted }) {
      watchers?.check();
      if (!isWanted) return;
      const behind = (await relay?.unpublished()) ?? 0;
      if (behind > MAX_BEHIND) throw new Error(`${name}: ${behind} events aren't published`);
    },
    stop,
  };
}
