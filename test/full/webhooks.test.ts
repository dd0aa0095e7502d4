// Webhooks of whole processes behind a real Kafka, while notifiers are killed.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { NewWebhookEndpoint } from "../../src/webhooks/manage-webhooks.ts";
import { createManageWebhooks } from "../../src/webhooks/manage-webhooks.ts";
import { changesBy } from "../support/changes-by.ts";
import { expectInvariants } from "../support/invariants.ts";
import { readDeadLetters, sendToTopic } from "../support/kafka-topic.ts";
import { callAs, createMigratedDatabase, openLedger, type TestLedger } from "../support/ledger.ts";
import type { TestDatabase } from "../support/postgres.ts";
import { until } from "../support/relay.ts";
import { startTestApp, type TestApp } from "../support/running-app.ts";
import { startInstance, type ServiceInstance } from "../support/service-instance.ts";
import { startKafka, type KafkaService } from "../support/services/kafka.ts";
import { runSql } from "../support/sql.ts";
import { startReceiver, verified, type WebhookReceiver } from "../support/webhook-receiver.ts";

/** Of three events each. */
const PAYMENTS = Number(process.env["DRILL_WEBHOOK_PAYMENTS"] ?? 3_400);
const LIMIT_MS = 120_000 + PAYMENTS * 10;

vi.setConfig({ testTimeout: 2 * LIMIT_MS, hookTimeout: 180_000 });

let kafka: KafkaService;
let database: TestDatabase;
let ledger: TestLedger;
let relay: TestApp;
let receiver: WebhookReceiver;
let topic: string;
let notifiers: ServiceInstance[] = [];
let alice: string;
let bob: string;

beforeAll(async () => {
  kafka = await startKafka({ own: true });
});
afterAll(() => kafka?.stop());

const settings = () => ({
  KAFKA_BROKERS: kafka.brokers.join(","),
  KAFKA_TOPIC: topic,
  KAFKA_TOPIC_PARTITIONS: "4",
});

beforeEach(async () => {
  database = await createMigratedDatabase();
  ledger = await openLedger(database.url);
  topic = `events-${randomUUID()}`;
  relay = await startTestApp({ ...settings(), DATABASE_URL: database.url, ROLES: "relay" });
  receiver = await startReceiver();
  alice = (await ledger.openFunded(1_000_000n, { ownerId: "alice" })).id;
  bob = (await ledger.open({ ownerId: "bob" })).id;
});

afterEach(async () => {
  await Promise.all(notifiers.splice(0).map((notifier) => notifier.kill()));
  await receiver.close();
  await relay.stop();
  await ledger.close();
  await expectInvariants(database.url);
  await database.drop();
});

const startNotifier = () =>
  startInstance(database.url, {
    ...settings(),
    ROLES: "notifier",
    WEBHOOK_ALLOW_PRIVATE: "true",
    LOG_LEVEL: "silent",
  });

async function listen(ownerId: string, path: string, more: Partial<NewWebhookEndpoint> = {}) {
  const { orm, unitOfWork } = ledger;
  const manage = createManageWebhooks({ orm, unitOfWork, allowPrivate: true });
  const wanted = { eventTypes: [], description: "", ordered: false, ownerId: undefined };
  const url = `${receiver.url}${path}`;
  return manage.create(callAs(ownerId), { ...wanted, url, ...more });
}

async function pay(): Promise<void> {
  const request = { debtorAccountId: alice, creditorAccountId: bob, amountMinor: 2n };
  const held = await ledger.pay({ ...request, holdDurationMs: 3_600_000 }, callAs("alice"));
  await changesBy(ledger, "bob").capture(held.payment, 1n, false);
  await changesBy(ledger, "bob").cancel(held.payment);
}

test(`${PAYMENTS * 3} events come once each after the rule, while notifiers are killed and a third of the calls fail`, async () => {
  const any = await listen("alice", "/any", { eventTypes: ["SETTLED"] });
  const ordered = await listen("bob", "/ordered", { ordered: true });
  // Of three calls for two deliveries one fails; and nothing waits for more than one backoff.
  const failed = new Set<string>();
  receiver.answer = ({ id }) => {
    if (failed.has(id) || Math.random() < 0.5) return 200;
    failed.add(id);
    return 500;
  };
  notifiers = await Promise.all([startNotifier(), startNotifier()]);
  const startMs = performance.now();
  const paying = (async () => {
    for (let paid = 0; paid < PAYMENTS; paid += 100) {
      await Promise.all(Array.from({ length: 100 }, () => pay()));
    }
  })();
  for (const [i, part] of [0.2, 0.4].entries()) {
    const due = PAYMENTS * 6 * part;
    await until(() => receiver.received.length > due, "the drill goes on", LIMIT_MS);
    await notifiers[i]!.kill();
    notifiers[i] = await startNotifier();
  }
  // To every partition, and all of them move on.
  const junk = { key: "junk", value: "this is no event" };
  const messages = [0, 1, 2, 3].map((partition) => ({ partition, ...junk }));
  await sendToTopic(kafka.brokers, { topic, messages });
  const letters = await readDeadLetters(kafka.brokers, topic, 4);
  await paying;
  const eventsOf = async (sequences: readonly number[]) => {
    const text = `select event_id from payment_event e join payment p on p.id = e.payment_id
      where p.hold_duration_ms is not null and e.sequence = any($1)`;
    return (await runSql(database.url, text, [sequences])).flat().map(String).toSorted();
  };
  const expected = { "/any": await eventsOf([3]), "/ordered": await eventsOf([1, 2, 3]) };
  expect(expected["/ordered"]).toHaveLength(PAYMENTS * 3);
  const taken = (path: string) => receiver.taken(path).map(({ body }) => JSON.parse(body));
  const isTaken = (path: "/any" | "/ordered") =>
    receiver.taken(path).length >= expected[path].length;
  await until(() => isTaken("/any") && isTaken("/ordered"), "all are taken", LIMIT_MS);
  const seconds = Math.round((performance.now() - startMs) / 1_000);
  const last = new Map<string, number>();
  for (const { sequence, payment } of taken("/ordered")) {
    expect(sequence).toBe((last.get(payment.id) ?? 0) + 1);
    last.set(payment.id, sequence);
  }
  for (const [path, { secret }] of [
    ["/any", any],
    ["/ordered", ordered],
  ] as const) {
    const ids = taken(path).map(({ eventId }) => String(eventId));
    expect(ids.toSorted()).toEqual(expected[path]);
    for (const request of receiver.taken(path).slice(0, 100)) await verified(request, secret);
  }
  const { headers = {} } = letters[0]!;
  expect(letters.map(({ value }) => String(value))).toEqual(Array(4).fill("this is no event"));
  expect(String(headers["dlq-error"])).toContain("Error");
  expect(String(headers["dlq-topic"])).toBe(topic);
  expect(String(headers["dlq-offset"])).toMatch(/^\d+$/);
  const calls = receiver.received.length;
  expect(failed.size / calls).toBeGreaterThan(0.3);
  const repeated = calls - failed.size - PAYMENTS * 4;
  console.log(`${calls} calls in ${seconds} s, ${repeated} of them repeated`);
});

test("a notifier without Kafka isn't ready, and goes on when it's back", async () => {
  await listen("bob", "/bob");
  notifiers = [await startNotifier()];
  const readiness = async () => (await fetch(`${notifiers[0]!.adminUrl}/readyz`)).status;
  await pay();
  await until(() => receiver.taken("/bob").length === 3, "it's told");
  expect(await readiness()).toBe(200);
  await kafka.kill9();
  await pay();
  await until(async () => (await readiness()) === 503, "it isn't ready");
  await sleep(1_000);
  await kafka.restart();
  await until(() => receiver.taken("/bob").length === 6, "it's told", LIMIT_MS);
  await until(async () => (await readiness()) === 200, "it's ready again");
});
