// The relay of the whole service on a real Kafka.
import { randomUUID } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { PaymentEventSchema } from "../../gen/instantpayment/v1/payment_pb.ts";
import { shardOf } from "../../src/events/shard.ts";
import type { Call } from "../../src/kernel/call.ts";
import { followByRule } from "../support/event-consumer.ts";
import { expectInvariants } from "../support/invariants.ts";
import { createTestKafka, readTopic, type TopicReader } from "../support/kafka-topic.ts";
import { callAs, createMigratedDatabase, openLedger, type TestLedger } from "../support/ledger.ts";
import type { TestDatabase } from "../support/postgres.ts";
import { until } from "../support/relay.ts";
import { startTestApp, type TestApp } from "../support/running-app.ts";
import { startKafka, type KafkaService } from "../support/services/kafka.ts";
import { runSql } from "../support/sql.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

let kafka: KafkaService;
let database: TestDatabase;
let ledger: TestLedger;
let topic: string;
let apps: TestApp[] = [];
let reader: TopicReader | undefined;

beforeAll(async () => {
  kafka = await startKafka({ own: true });
});
afterAll(() => kafka?.stop());

beforeEach(async () => {
  database = await createMigratedDatabase();
  ledger = await openLedger(database.url);
  topic = `events-${randomUUID()}`;
});

afterEach(async () => {
  await reader?.stop();
  reader = undefined;
  await Promise.all(apps.splice(0).map((app) => app.stop()));
  await ledger.close();
  await expectInvariants(database.url);
  await database.drop();
});

async function startApp(roles: string): Promise<TestApp> {
  const app = await startTestApp({
    DATABASE_URL: database.url,
    ROLES: roles,
    KAFKA_BROKERS: kafka.brokers.join(","),
    KAFKA_TOPIC: topic,
    KAFKA_TOPIC_PARTITIONS: "3",
  });
  apps.push(app);
  return app;
}

async function readiness(app: TestApp): Promise<[number, unknown]> {
  const answer = await fetch(`${app.adminUrl}/readyz`);
  return [answer.status, ((await answer.json()) as { checks: unknown }).checks];
}

const unpublished = async () =>
  (await runSql(database.url, "select count(*)::int from unpublished_event")).flat().join();

async function pay(
  count: number,
  changes: { metadata?: Record<string, string> } = {},
  call: Partial<Call> = {},
) {
  const debtor = await ledger.open({ overdraftMode: "UNBOUNDED" });
  const creditor = await ledger.open({ ownerId: "bob" });
  const payment = { debtorAccountId: debtor.id, creditorAccountId: creditor.id, amountMinor: 1n };
  const paid = await Promise.all(
    Array.from({ length: count }, () =>
      ledger.pay({ ...payment, ...changes }, { ...callAs("admin"), ...call }),
    ),
  );
  return paid.map(({ payment: { id } }) => id);
}

test("makes its topic, and publishes CloudEvents with a Protobuf body under the payment's id", async () => {
  await startApp("relay");
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const [paymentId] = await pay(1, {}, { traceparent });
  await until(async () => (await unpublished()) === "0", "it's published");
  reader = await readTopic(kafka.brokers, topic);
  await until(() => reader!.messages.length === 1, "it's read");
  const { key, value, headers } = reader.messages[0]!;
  const event = fromBinary(PaymentEventSchema, value!);
  expect(String(key)).toBe(paymentId);
  expect(event.payment?.id).toBe(paymentId);
  const texts = Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)]);
  expect(Object.fromEntries(texts)).toEqual({
    "content-type": "application/protobuf",
    ce_specversion: "1.0",
    ce_id: event.eventId,
    ce_type: "instantpayment.v1.PaymentEvent",
    ce_source: "/instantpayment/payments",
    ce_subject: paymentId,
    ce_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    ce_partitionkey: paymentId,
    ce_dataschema: "proto:instantpayment.v1.PaymentEvent",
    traceparent,
  });
  const admin = createTestKafka(kafka.brokers).admin();
  await admin.connect();
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  expect(topics[0]?.partitions).toHaveLength(3);
  await admin.disconnect();
});

test("publishes from the process that takes the calls, and by several relays", async () => {
  await Promise.all([startApp("payments,accounts,relay"), startApp("relay"), startApp("relay")]);
  const paymentIds = await pay(2_000);
  reader = await readTopic(kafka.brokers, topic);
  await until(async () => (await unpublished()) === "0", "all is published");
  await until(() => reader!.events.length >= 2_000, "all is read");
  const { eventIds, breaches } = followByRule(reader.events);
  expect(breaches).toEqual([]);
  expect([...eventIds.keys()].toSorted()).toEqual(paymentIds.toSorted());
});

test("an event that is too large for the topic halts its shard until it fits", async () => {
  const admin = createTestKafka(kafka.brokers).admin();
  await admin.connect();
  const limit = (bytes: number) => ({ name: "max.message.bytes", value: String(bytes) });
  await admin.createTopics({
    topics: [{ topic, numPartitions: 1, configEntries: [limit(4_000)] }],
  });
  const [culprit] = await pay(1, { metadata: { picture: "x".repeat(5_000) } });
  const others = await pay(200);
  const behind = others.filter((id) => shardOf(id) === shardOf(culprit!));
  const relay = await startApp("relay");
  await until(async () => (await unpublished()) === String(behind.length + 1), "the others go on");
  const metrics = await (await fetch(`${relay.adminUrl}/metrics`)).text();
  expect(metrics).toMatch(/instant_payment_relay_errors_total [1-9]/);
  expect(await readiness(relay)).toMatchObject([200, { kafka: { ok: true } }]);
  const { degraded } = (await (await fetch(`${relay.adminUrl}/readyz`)).json()) as {
    degraded?: { events?: string };
  };
  expect(degraded?.events).toBe("1 of 64 shards wait, since an event is refused");
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: 2, name: topic, configEntries: [limit(1_000_000)] }],
  });
  await admin.disconnect();
  await until(async () => (await unpublished()) === "0", "it goes on when it may");
  reader = await readTopic(kafka.brokers, topic);
  await until(() => reader!.events.length >= 201, "all is read");
  expect(followByRule(reader.events).breaches).toEqual([]);
});

test("a writer whose transaction is open for 5 s delays no other payment's event, and loses none", async () => {
  await startApp("relay");
  await runSql(
    database.url,
    `create function linger() returns trigger language plpgsql as $$ begin
       if current_setting('test.linger', true) = 'yes' then perform pg_sleep(5); end if;
       return null;
     end $$;
     create constraint trigger linger after insert on payment_event deferrable initially deferred
       for each row execute function linger()`,
  );
  // Its events have their ids, and wait in their transaction's COMMIT.
  const lingering = new URL(database.url);
  lingering.searchParams.set("options", "-c test.linger=yes");
  const debtor = await ledger.open({ overdraftMode: "UNBOUNDED" });
  const creditor = await ledger.open({ ownerId: "bob" });
  const slow = await openLedger(lingering.href);
  const payment = { debtorAccountId: debtor.id, creditorAccountId: creditor.id, amountMinor: 1n };
  let hasPaid = false;
  const paying = slow.pay(payment).then((paid) => {
    hasPaid = true;
    return paid.payment.id;
  });
  await until(async () => {
    const text = "select from pg_stat_activity where wait_event = 'PgSleep'";
    return (await runSql(database.url, text)).length > 0;
  }, "it lingers");
  const others = await pay(200);
  await until(async () => (await unpublished()) === "0", "the others are published");
  reader = await readTopic(kafka.brokers, topic);
  await until(() => reader!.events.length === 200, "the others are read");
  expect(hasPaid).toBe(false);
  const late = await paying;
  await slow.close();
  await until(() => reader!.events.length === 201, "it is published");
  expect(reader.events.at(-1)?.paymentId).toBe(late);
  const { eventIds } = followByRule(reader.events);
  expect([...eventIds.keys()].toSorted()).toEqual([...others, late].toSorted());
});

test("without Kafka payments go on and are ready; the relay isn't, until Kafka is back", async () => {
  const [relay, service] = await Promise.all([
    startApp("relay"),
    startApp("payments,accounts,relay"),
  ]);
  await pay(10);
  await until(async () => (await unpublished()) === "0", "it's published");
  expect(await readiness(relay)).toMatchObject([200, { kafka: { ok: true } }]);
  await kafka.kill9();
  const paymentIds = await pay(500);
  expect(await readiness(relay)).toMatchObject([503, { kafka: { ok: false } }]);
  expect((await readiness(service))[0]).toBe(200);
  expect(await unpublished()).toBe("500");
  await kafka.restart();
  await until(async () => (await unpublished()) === "0", "it's published when Kafka is back");
  await until(async () => (await readiness(relay))[0] === 200, "the relay is ready again");
  reader = await readTopic(kafka.brokers, topic);
  await until(() => reader!.events.length >= 510, "all is read");
  const { eventIds, breaches } = followByRule(reader.events);
  expect(breaches).toEqual([]);
  expect(paymentIds.filter((id) => !eventIds.has(id))).toEqual([]);
});
