// Everything that an event passes through is killed or stopped; none is lost, none invented.
// `npm run test:chaos` runs the same with more kills and a longer outage.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { expectAllPublished, startLoad, untilPublished } from "../support/event-drill.ts";
import { openTwentyAccounts } from "../support/hammer.ts";
import { openLedger, prepareDatabase, type TestLedger } from "../support/ledger.ts";
import { until } from "../support/relay.ts";
import { startInstance, type ServiceInstance } from "../support/service-instance.ts";
import { startKafka, type KafkaService } from "../support/services/kafka.ts";
import { startPostgres, type PostgresService } from "../support/services/postgres.ts";

const KILLS_OF_EACH = Number(process.env["DRILL_KILLS"] ?? 2);
const KAFKA_AWAY_MS = Number(process.env["DRILL_KAFKA_AWAY_S"] ?? 60) * 1_000;
const PAYMENTS = Math.max(100_000, KILLS_OF_EACH * 20_000);

vi.setConfig({
  testTimeout: 60_000 + PAYMENTS * 4 + KILLS_OF_EACH * 60_000 + KAFKA_AWAY_MS,
  hookTimeout: 180_000,
});

let kafka: KafkaService;
let postgres: PostgresService;
let ledger: TestLedger;
let topic: string;
let accountIds: string[];
let services: ServiceInstance[] = [];
let relays: ServiceInstance[] = [];

beforeAll(async () => {
  kafka = await startKafka({ own: true });
});
afterAll(() => kafka?.stop());

beforeEach(async () => {
  postgres = await startPostgres();
  await prepareDatabase(postgres.url);
  ledger = await openLedger(postgres.url);
  accountIds = await openTwentyAccounts(ledger);
  topic = `events-${randomUUID()}`;
});

afterEach(async () => {
  await Promise.all([...services, ...relays].map((instance) => instance.kill()));
  services = [];
  relays = [];
  await ledger.close();
  await postgres.stop();
});

const startService = () => startInstance(postgres.url, { ROLES: "payments,accounts" });
const startRelay = (roles = "relay") =>
  startInstance(postgres.url, {
    ROLES: roles,
    KAFKA_BROKERS: kafka.brokers.join(","),
    KAFKA_TOPIC: topic,
    LOG_LEVEL: "silent",
  });

const end = () => ({ databaseUrl: postgres.url, ledger, brokers: kafka.brokers, topic });

async function residentMb({ adminUrl }: ServiceInstance): Promise<number> {
  const metrics = await (await fetch(`${adminUrl}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (.+)$/m.exec(metrics)?.[1]) / 2 ** 20;
}

test(`${PAYMENTS} payments reach Kafka while all that they pass is killed ${KILLS_OF_EACH} times each`, async () => {
  services = await Promise.all([startService(), startService()]);
  relays = await Promise.all([startRelay(), startRelay()]);
  const load = startLoad({ instances: services, accountIds, payments: PAYMENTS });
  const another = async (
    of: ServiceInstance[],
    kill: number,
    start: () => Promise<ServiceInstance>,
  ) => {
    await of[kill % 2]!.kill();
    of[kill % 2] = await start();
  };
  const killers = [
    (kill: number) => another(services, kill, startService),
    (kill: number) => another(relays, kill, startRelay),
    () => kafka.kill9().then(() => kafka.restart()),
    () => postgres.kill9().then(() => postgres.restart()),
  ];
  const kills = KILLS_OF_EACH * killers.length;
  for (let kill = 0; kill < kills; kill++) {
    const due = (PAYMENTS * (kill + 1)) / (kills + 1);
    while (load.answered < due) await sleep(20);
    await killers[kill % killers.length]!(Math.floor(kill / killers.length));
  }
  const answers = await load.done;
  expect(answers).toHaveLength(PAYMENTS);
  const repeated = await expectAllPublished({ ...end(), answers });
  console.log(`${kills} kills, ${answers.length} payments, ${repeated} events came again`);
});

test("while Kafka is away payments go on, memory doesn't grow, and all is published later", async () => {
  // One publishes in the process that takes the calls, the other by itself.
  services = [await startRelay("payments,accounts,relay")];
  relays = [await startRelay()];
  const load = startLoad({ instances: services, accountIds, payments: Infinity, perSecond: 500 });
  await until(() => load.answered > 5_000, "the load runs");
  await kafka.kill9();
  await sleep(KAFKA_AWAY_MS / 4);
  const before = await Promise.all([...services, ...relays].map(residentMb));
  await sleep((KAFKA_AWAY_MS * 3) / 4);
  const after = await Promise.all([...services, ...relays].map(residentMb));
  load.stop();
  const answers = await load.done;
  await kafka.restart();
  console.log(`MiB resident, service and relay: ${before.join(", ")}; then ${after.join(", ")}`);
  expect(load.resent).toBe(0);
  // The service's own heap goes up and down with its load.
  expect(after[0]).toBeLessThan(before[0]! + 128);
  expect(after[1]).toBeLessThan(before[1]! + 32);
  await expectAllPublished({ ...end(), answers });
});

test("a relay that was stopped past its lease publishes nothing that counts twice", async () => {
  services = [await startService()];
  relays = await Promise.all([startRelay(), startRelay()]);
  const load = startLoad({ instances: services, accountIds, payments: Infinity, perSecond: 1_000 });
  await until(() => load.answered > 3_000, "the load runs");
  relays[0]!.signal("SIGSTOP");
  await sleep(10_000);
  load.stop();
  // The other one has taken everything over by now.
  await untilPublished(postgres.url);
  const more = startLoad({ instances: services, accountIds, payments: Infinity, perSecond: 1_000 });
  relays[0]!.signal("SIGCONT");
  await sleep(3_000);
  more.stop();
  const answers = [...(await load.done), ...(await more.done)];
  await expectAllPublished({ ...end(), answers });
});
