// What can't be told is set aside while its partition moves on; what passes is waited for.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { zstdCompressSync } from "node:zlib";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  CompressionCodecs,
  CompressionTypes,
  ConfigResourceTypes,
  type KafkaMessage,
  type Message,
} from "kafkajs";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { PaymentEventSchema } from "../../gen/instantpayment/v1/payment_pb.ts";
import { createDeadLetters } from "../../src/webhooks/kafka-dead-letters.ts";
import { createManageWebhooks } from "../../src/webhooks/manage-webhooks.ts";
import { openCuttingProxy, type CuttingProxy } from "../support/cutting-proxy.ts";
import { createTestKafka, readDeadLetters, sendToTopic } from "../support/kafka-topic.ts";
import { callAs } from "../support/ledger.ts";
import { until } from "../support/relay.ts";
import { startTestApp, type TestApp } from "../support/running-app.ts";
import { startKafka, type KafkaService } from "../support/services/kafka.ts";
import { runSql } from "../support/sql.ts";
import { useLedger } from "../support/use-ledger.ts";
import { startReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

const used = useLedger();
let kafka: KafkaService;
let receiver: WebhookReceiver;
/** The notifier's way to PostgreSQL. */
let proxy: CuttingProxy;
let notifier: TestApp;
let topic: string;
/** Encoded events of which Bob is told. */
let events: Buffer[];

beforeAll(async () => {
  kafka = await startKafka({ own: true });
  receiver = await startReceiver();
  proxy = await openCuttingProxy(used.url);
  const { orm, unitOfWork } = used.ledger;
  const manage = createManageWebhooks({ orm, unitOfWork, allowPrivate: true });
  const wanted = { eventTypes: [], description: "", ordered: false, ownerId: undefined };
  await manage.create(callAs("bob"), { ...wanted, url: `${receiver.url}/bob` });
});
afterAll(async () => {
  await proxy?.close();
  await receiver?.close();
  await kafka?.stop();
});

beforeEach(async () => {
  topic = `events-${randomUUID()}`;
  const [from, to] = [await used.ledger.openFunded(9n), await used.ledger.open({ ownerId: "bob" })];
  const sides = { debtorAccountId: from.id, creditorAccountId: to.id };
  for (let i = 0; i < 3; i++) await used.ledger.pay({ ...sides, amountMinor: 1n });
  const text = `select e.payload from payment_event e join payment p on p.id = e.payment_id
    where p.debtor_account_id = $1 order by e.id`;
  events = (await runSql(used.url, text, [from.id])).flat() as Buffer[];
  notifier = await startTestApp({
    DATABASE_URL: proxy.url,
    KAFKA_BROKERS: kafka.brokers.join(","),
    KAFKA_TOPIC: topic,
    KAFKA_TOPIC_PARTITIONS: "1",
    ROLES: "notifier",
    WEBHOOK_ALLOW_PRIVATE: "true",
  });
  await until(async () => (await topics()).includes(topic), "the notifier has made its topic");
});
afterEach(async () => {
  await notifier.stop();
  receiver.received.length = 0;
});

async function topics(): Promise<string[]> {
  const admin = createTestKafka(kafka.brokers).admin();
  await admin.connect();
  const found = await admin.listTopics();
  await admin.disconnect();
  return found;
}

/** Makes the topic take what its dead letters' topic doesn't. */
async function allowLarge(): Promise<void> {
  const admin = createTestKafka(kafka.brokers).admin();
  await admin.connect();
  const configEntries = [{ name: "max.message.bytes", value: "4000000" }];
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }];
  await admin.alterConfigs({ validateOnly: false, resources });
  await admin.disconnect();
}

const send = (...messages: Message[]) => sendToTopic(kafka.brokers, { topic, messages });

const told = () => receiver.received.map(({ body }) => String(JSON.parse(body).eventId)).toSorted();

const idsOf = (some: readonly Buffer[]) =>
  some.map((value) => fromBinary(PaymentEventSchema, value).eventId).toSorted();

test("an event with a time that JSON can't tell is set aside, and those around it are told", async () => {
  const event = fromBinary(PaymentEventSchema, events[1]!);
  const year10000 = timestampFromMs(253_402_300_800_000);
  const value = Buffer.from(
    toBinary(PaymentEventSchema, { ...event, eventId: randomUUID(), occurTime: year10000 }),
  );
  const [first, ...others] = events.map((payload) => ({ value: payload }));
  await send(first!, { key: "from afar", value }, ...others);
  const [letter] = await readDeadLetters(kafka.brokers, topic, 1);
  expect(letter).toMatchObject({ key: Buffer.from("from afar"), value });
  expect(String(letter!.headers?.["dlq-error"])).toMatch(/Timestamp.*9999/);
  expect(String(letter!.headers?.["dlq-offset"])).toBe("1");
  await until(() => receiver.received.length === 3, "the others are told");
  expect(told()).toEqual(idsOf(events));
});

test("what Kafka doesn't take a second time is set aside without its value", async () => {
  const [first, ...others] = events.map((payload) => ({ value: payload }));
  await send(first!, { value: "junk" });
  await allowLarge();
  await send({ key: "large", value: Buffer.alloc(3_000_000) }, { value: "more junk" }, ...others);
  const letters = await readDeadLetters(kafka.brokers, topic, 3);
  const valuesByOffset = Object.fromEntries(
    letters.map(({ headers, value }) => [String(headers?.["dlq-offset"]), value?.toString()]),
  );
  expect(valuesByOffset).toEqual({ 1: "junk", 2: undefined, 3: "more junk" });
  const cut = letters.find(({ value }) => value === null)!;
  const texts = Object.entries(cut.headers ?? {}).map(([name, value]) => [name, String(value)]);
  expect(Object.fromEntries(texts)).toEqual({
    "dlq-error": expect.stringContaining("Error"),
    "dlq-topic": topic,
    "dlq-partition": "0",
    "dlq-offset": "2",
    "dlq-left-out": "MESSAGE_TOO_LARGE",
    "dlq-value-bytes": "3000000",
  });
  await until(() => receiver.received.length === 3, "the others are told");
  expect(told()).toEqual(idsOf(events));
});

test("the topic of dead letters is made anew when somebody has removed it", async () => {
  await send({ value: "junk" });
  await readDeadLetters(kafka.brokers, topic, 1);
  const admin = createTestKafka(kafka.brokers).admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [`${topic}.dlq`] });
  await admin.disconnect();
  await send({ value: "more junk" }, ...events.map((value) => ({ value })));
  const [letter] = await readDeadLetters(kafka.brokers, topic, 1);
  expect(String(letter!.value)).toBe("more junk");
  await until(() => receiver.received.length === 3, "those behind it are told");
});

test("what comes packed as kafkajs can't unpack it stops nobody", async () => {
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => zstdCompressSync(buffer),
    decompress: () => Promise.reject(new Error("kafkajs can't")),
  });
  const compression = CompressionTypes.ZSTD;
  const packed = { topic, messages: [{ value: "junk" }, { value: events[0]! }], compression };
  await sendToTopic(kafka.brokers, packed);
  await send(...events.slice(1).map((value) => ({ value })));
  const [letter] = await readDeadLetters(kafka.brokers, topic, 1);
  expect(String(letter!.value)).toBe("junk");
  await until(() => receiver.received.length === 3, "all are told");
  expect(told()).toEqual(idsOf(events));
});

test("a header without a value, which kafkajs can't write, is set aside without one", async () => {
  const letters = createDeadLetters(createTestKafka(kafka.brokers), {
    name: topic,
    partitions: 1,
    replicas: 1,
    retentionMs: 1,
  });
  const headers = { empty: null as never, twice: [Buffer.from("a"), null as never] };
  const at = { timestamp: "0", attributes: 0, offset: "7" };
  const message: KafkaMessage = { ...at, key: null, value: Buffer.from("junk"), headers };
  await letters.bury(0, [{ message, error: new Error("it's junk") }]);
  const [letter] = await readDeadLetters(kafka.brokers, topic, 1);
  expect(letter!.value).toEqual(Buffer.from("junk"));
  expect(letter!.headers).toMatchObject({
    empty: Buffer.alloc(0),
    twice: [Buffer.from("a"), Buffer.alloc(0)],
  });
  await letters.close();
});

test("while PostgreSQL is away or lacks a table all is tried again, and nothing is set aside", async () => {
  proxy.goAway(true);
  await send(...events.slice(0, 2).map((value) => ({ value })));
  await sleep(2_000);
  await runSql(used.url, "alter table webhook_delivery rename to away");
  proxy.goAway(false);
  await sleep(2_000);
  await send({ value: events[2]! });
  await sleep(1_000);
  expect(receiver.received).toEqual([]);
  await runSql(used.url, "alter table away rename to webhook_delivery");
  await until(() => receiver.received.length === 3, "all are told");
  expect(told()).toEqual(idsOf(events));
  expect(await topics()).not.toContain(`${topic}.dlq`);
});
