// Events that are gone from a real Kafka before notifiers have read them.
import { randomUUID } from "node:crypto";
import type { Admin } from "kafkajs";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { createManageWebhooks } from "../../src/webhooks/manage-webhooks.ts";
import { changesBy } from "../support/changes-by.ts";
import { openCuttingProxy, type CuttingProxy } from "../support/cutting-proxy.ts";
import { emptyTopic, remakeTopic, spanOf } from "../support/kafka-damage.ts";
import { createTestKafka } from "../support/kafka-topic.ts";
import { callAs } from "../support/ledger.ts";
import { keepLines, type LogLines } from "../support/log-lines.ts";
import { until } from "../support/relay.ts";
import { startTestApp, type TestApp } from "../support/running-app.ts";
import { startKafka, type KafkaService } from "../support/services/kafka.ts";
import { runSql } from "../support/sql.ts";
import { useFreshLedger } from "../support/use-ledger.ts";
import { startReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

const used = useFreshLedger();
let kafka: KafkaService;
let admin: Admin;
let receiver: WebhookReceiver;
let relay: TestApp;
let notifier: TestApp | undefined;
/** The notifier's way to PostgreSQL. */
let proxy: CuttingProxy;
let topic: string;
let alice: string;
let bob: string;
let log: LogLines;

beforeAll(async () => {
  kafka = await startKafka({ own: true });
  admin = createTestKafka(kafka.brokers).admin();
  await admin.connect();
});
afterAll(async () => {
  await admin?.disconnect();
  await kafka?.stop();
});

const settings = () => {
  const brokers = kafka.brokers.join(",");
  return { KAFKA_BROKERS: brokers, KAFKA_TOPIC: topic, KAFKA_TOPIC_PARTITIONS: "1" };
};

beforeEach(async () => {
  topic = `events-${randomUUID()}`;
  log = keepLines();
  receiver = await startReceiver();
  proxy = await openCuttingProxy(used.url);
  relay = await startTestApp({ ...settings(), DATABASE_URL: used.url, ROLES: "relay" });
  alice = (await used.ledger.openFunded(1_000n, { ownerId: "alice" })).id;
  bob = (await used.ledger.open({ ownerId: "bob" })).id;
});
afterEach(async () => {
  await stopNotifier();
  await relay.stop();
  await proxy.close();
  await receiver.close();
});

async function listen(): Promise<void> {
  const { orm, unitOfWork } = used.ledger;
  const manage = createManageWebhooks({ orm, unitOfWork, allowPrivate: true });
  const wanted = { eventTypes: [], description: "", ordered: true, ownerId: undefined };
  await manage.create(callAs("bob"), { ...wanted, url: `${receiver.url}/bob` });
}

async function startNotifier(): Promise<void> {
  const role = { ROLES: "notifier", WEBHOOK_ALLOW_PRIVATE: "true", LOG_LEVEL: "warn" };
  notifier = await startTestApp({ ...settings(), ...role, DATABASE_URL: proxy.url }, log.stream);
}

async function stopNotifier(): Promise<void> {
  await notifier?.stop();
  notifier = undefined;
}

/** Each payment makes three events of which Bob is told. */
async function publish(payments: number): Promise<void> {
  const request = { debtorAccountId: alice, creditorAccountId: bob, amountMinor: 2n };
  const change = changesBy(used.ledger, "bob");
  for (let i = 0; i < payments; i++) {
    const held = await used.ledger.pay({ ...request, holdDurationMs: 3_600_000 }, callAs("alice"));
    await change.capture(held.payment, 1n, false);
    await change.cancel(held.payment);
  }
  const unpublished = "select count(*)::int from unpublished_event";
  const isPublished = async () => (await runSql(used.url, unpublished))[0]![0] === 0;
  await until(isPublished, "all is published");
}

/** Each event once and those of a payment in order, by the promise to an ordered endpoint. */
async function expectTold(payments: number): Promise<void> {
  await until(() => receiver.taken("/bob").length >= payments * 3, "all are told", 60_000);
  const byPayment = Map.groupBy(
    receiver.received.map(({ body }) => JSON.parse(body)),
    ({ payment }) => String(payment.id),
  );
  const sequences = [...byPayment.values()].map((events) => events.map((one) => one.sequence));
  expect(sequences).toEqual(Array.from({ length: payments }, () => [1, 2, 3]));
}

/** Until then what is gone is gone before it has looked. */
async function untilItReads(): Promise<void> {
  const ask = () => admin.describeGroups([`${topic}.webhooks`]);
  await until(async () => (await ask()).groups[0]?.state === "Stable", "it reads");
}

/** With the events of a payment in hand, since PostgreSQL is away for it. */
async function getStuck(): Promise<void> {
  proxy.goAway(true);
  await publish(1);
  await until(() => log.lines.some(({ msg }) => msg === "events can't be taken now"), "it's stuck");
}

const gapsTold = () => log.lines.filter(({ msg }) => String(msg).startsWith("events are gone"));

async function expectNoted(gaps: number): Promise<void> {
  for (const line of gapsTold()) expect(line).toMatchObject({ level: "error", partition: 0 });
  const metrics = await (await fetch(`${notifier!.adminUrl}/metrics`)).text();
  expect(metrics).toContain(`\ninstant_payment_webhook_gaps_total ${gaps}\n`);
  const readyz = await fetch(`${notifier!.adminUrl}/readyz`);
  const note = "events were gone from Kafka before they were read, of partitions 0";
  const { degraded } = (await readyz.json()) as { degraded?: Record<string, string> };
  expect(degraded?.["webhooks"]).toBe(gaps === 0 ? undefined : note);
  expect(readyz.status).toBe(200);
}

test("what Kafka let go of while no notifier was there is told from the log, and operators hear of it", async () => {
  await listen();
  await startNotifier();
  await publish(2);
  await expectTold(2);
  await expectNoted(0);
  await stopNotifier();
  const { end: place } = await spanOf(admin, topic);
  await publish(3);
  await emptyTopic(admin, topic);
  await startNotifier();
  await expectTold(5);
  const { end } = await spanOf(admin, topic);
  expect(end - place).toBeGreaterThanOrEqual(9);
  expect(gapsTold()).toMatchObject([{ place, first: end, end, gone: end - place }]);
  await expectNoted(1);
  await publish(1);
  await expectTold(6);
  await stopNotifier();
  log.lines.length = 0;
  await startNotifier();
  await publish(1);
  await expectTold(7);
  expect(log.lines).toEqual([]);
});

test("a place behind the end of a topic that was made anew is told, and nothing is left out", async () => {
  await listen();
  await startNotifier();
  await publish(2);
  await expectTold(2);
  await stopNotifier();
  await publish(1);
  await remakeTopic(admin, topic);
  const groupId = `${topic}.webhooks`;
  await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: "8" }] });
  await publish(1);
  await startNotifier();
  await expectTold(4);
  const { end } = await spanOf(admin, topic);
  expect(gapsTold()).toMatchObject([{ place: 8, first: 0, end, gone: null }]);
  await expectNoted(1);
});

test("of a topic that was made anew, whose group Kafka has forgotten, what was lost is told from the log", async () => {
  await listen();
  await startNotifier();
  await publish(2);
  await expectTold(2);
  await stopNotifier();
  await publish(1);
  await remakeTopic(admin, topic);
  await publish(3);
  await startNotifier();
  await expectTold(6);
  // What was gone can't be told from what the new topic has.
  expect(log.lines).toMatchObject([{ msg: "events are told from the log", deliveries: 12 }]);
  await expectNoted(0);
});

test("a notifier whose place is gone while it can't go on tells from the log before it reads on", async () => {
  await listen();
  await startNotifier();
  await publish(1);
  await expectTold(1);
  await getStuck();
  await publish(2);
  await emptyTopic(admin, topic);
  proxy.goAway(false);
  await publish(1);
  await expectTold(5);
  const { first, end } = await spanOf(admin, topic);
  const [gap] = gapsTold();
  expect(gap).toMatchObject({ first, end });
  expect(gap!.gone).toBe(first - Number(gap!.place));
  expect(gap!.gone).toBeGreaterThanOrEqual(6);
  await expectNoted(1);
});

test("a notifier whose topic is made anew while it can't go on tells from the log what it hadn't read", async () => {
  await listen();
  await startNotifier();
  await publish(2);
  await expectTold(2);
  await getStuck();
  await publish(2);
  await remakeTopic(admin, topic);
  proxy.goAway(false);
  await publish(1);
  await expectTold(6);
  expect(gapsTold()).toMatchObject([{ first: 0, gone: null }]);
  await expectNoted(1);
});

test("a new group tells what the topic had before it, and what it hasn't any more it has from the log", async () => {
  await listen();
  await publish(1);
  const { end: first } = await spanOf(admin, topic);
  await emptyTopic(admin, topic);
  await publish(1);
  const { end } = await spanOf(admin, topic);
  await startNotifier();
  await expectTold(2);
  expect(gapsTold()).toMatchObject([{ place: null, first, end, gone: null }]);
  await expectNoted(1);
});

test("as long as nobody has an endpoint, nobody hears of what Kafka has let go", async () => {
  await publish(1);
  await emptyTopic(admin, topic);
  await startNotifier();
  await untilItReads();
  await listen();
  await publish(1);
  await expectTold(1);
  expect(log.lines).toEqual([]);
  await expectNoted(0);
});
