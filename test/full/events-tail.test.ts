// `events tail` on a real Kafka, with whatever others write into the topic and over its outages.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { zstdCompressSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { CompressionCodecs, CompressionTypes } from "kafkajs";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { PaymentEventSchema, PaymentEventType } from "../../gen/instantpayment/v1/payment_pb.ts";
import { tailTopic } from "../../src/events/kafka-tail.ts";
import { createTestKafka, sendToTopic } from "../support/kafka-topic.ts";
import { until } from "../support/relay.ts";
import { groupLives, type ServiceProcess, run } from "../support/service-process.ts";
import { startKafka, type KafkaService } from "../support/services/kafka.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 180_000 });

let kafka: KafkaService;
let topic: string;
let tails: ServiceProcess[] = [];

beforeAll(async () => {
  kafka = await startKafka({ own: true });
});
afterAll(() => kafka?.stop());

beforeEach(async () => {
  topic = `tailed-${randomUUID()}`;
  await withAdmin((admin) => admin.createTopics({ topics: [{ topic, numPartitions: 2 }] }));
});

afterEach(async () => {
  // Whatever a failed test left.
  for (const one of tails) if (groupLives(one.pid)) one.killHard();
  tails = [];
  await kafka.resume();
});

type Admin = ReturnType<ReturnType<typeof createTestKafka>["admin"]>;

async function withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = createTestKafka(kafka.brokers).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

function event(sequence: number): Buffer {
  const message = create(PaymentEventSchema, {
    eventId: randomUUID(),
    sequence,
    type: PaymentEventType.SETTLED,
    payment: { id: randomUUID(), amount: { currencyCode: "EUR", amountMinor: 1n } },
    occurTime: timestampFromMs(Date.now()),
  });
  return Buffer.from(toBinary(PaymentEventSchema, message));
}

/** Into one partition, unless it's the other's turn. */
const send = (values: readonly (Buffer | string | null)[], partition = 0) =>
  sendToTopic(kafka.brokers, {
    topic,
    messages: values.map((value) => ({ key: "k", value, partition })),
  });

function tail(...args: string[]): ServiceProcess {
  const settings = { KAFKA_BROKERS: kafka.brokers.join(","), KAFKA_TOPIC: topic };
  const command = [process.execPath, "src/cli/instant-payment.ts", "events", "tail", "--json"];
  const started = run([...command, ...args] as [string, ...string[]], settings);
  tails.push(started);
  return started;
}

const sequencesOf = (stdout: string) =>
  stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => Number(JSON.parse(line).sequence));

/** The exit code, and how long it took to end. */
async function timed({ ended }: ServiceProcess) {
  const startMs = performance.now();
  const { code } = await ended;
  return { code, ms: performance.now() - startMs };
}

test("what isn't an event is named on standard error, and what comes after it is shown", async () => {
  await send([event(1), "not an event", null, event(2)]);
  const limited = await tail("--limit", "4").ended;
  const named = [1, 2].map((n) => `instant-payment: offset ${n} of partition 0 is no event\n`);
  expect({ ...limited, stdout: sequencesOf(limited.stdout) }).toEqual({
    code: 0,
    stdout: [1, 2],
    stderr: named.join(""),
  });
  const following = tail();
  await following.printed('"sequence":2');
  await send([null, event(3)]);
  await send(["{}", event(4)], 1);
  await following.printed('"sequence":3');
  await following.printed('"sequence":4');
  following.signal("SIGINT");
  expect(await timed(following)).toMatchObject({ code: 0 });
  const { stdout, stderr } = await following.ended;
  expect(sequencesOf(stdout).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4]);
  expect(stderr.split("\n").slice(2).toSorted()).toEqual([
    "",
    "instant-payment: offset 0 of partition 1 is no event",
    "instant-payment: offset 4 of partition 0 is no event",
  ]);
});

test("the latest are shown at once, also with marks of transactions between them", async () => {
  const producer = createTestKafka(kafka.brokers).producer({
    transactionalId: topic,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  for (const end of ["commit", "abort", "commit", "abort"] as const) {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ value: event(5), partition: 0 }] });
    await transaction[end]();
  }
  await producer.disconnect();
  await send([event(6)], 1);
  const startMs = performance.now();
  const { code, stdout, stderr } = await tail("--limit", "8").ended;
  const ms = performance.now() - startMs;
  console.log(`the latest took ${Math.round(ms)} ms`);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(sequencesOf(stdout)).toEqual([5, 5, 6]);
  expect(ms).toBeLessThan(4_500);
  const { groups } = await withAdmin((admin) => admin.listGroups());
  expect(groups.filter(({ groupId }) => groupId.startsWith("instant-payment-tail"))).toEqual([]);
});

test("of a long topic no more is read than is shown", async () => {
  await send(Array.from({ length: 20 }, (_, i) => event(i)));
  const client = createTestKafka(kafka.brokers);
  const firstOffsets: unknown[] = [];
  const makeConsumer = client.consumer.bind(client);
  client.consumer = (config) => {
    const consumer = makeConsumer(config);
    const { START_BATCH_PROCESS } = consumer.events;
    consumer.on(START_BATCH_PROCESS, ({ payload }) => firstOffsets.push(payload.firstOffset));
    return consumer;
  };
  const shown: string[] = [];
  await tailTopic(client, topic, {
    limit: 3,
    follow: false,
    stop: new AbortController().signal,
    show: ({ place }) => shown.push(place),
    onLatest: () => undefined,
    onAway: (error) => expect.fail(String(error)),
  });
  expect(shown).toEqual([17, 18, 19].map((n) => `offset ${n} of partition 0`));
  expect(firstOffsets).toEqual(["17"]);
});

test("what kafkajs can't unpack ends it with a line", async () => {
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => zstdCompressSync(buffer),
    decompress: () => Promise.reject(new Error("kafkajs can't")),
  });
  const messages = [{ value: event(1), partition: 0 }];
  await sendToTopic(kafka.brokers, { topic, messages, compression: CompressionTypes.ZSTD });
  const { code, stdout, stderr } = await tail().ended;
  expect({ code, stdout }).toEqual({ code: 69, stdout: "" });
  expect(stderr).toMatch(/^instant-payment: Kafka can't be read: .*ZSTD.*\n$/);
});

test("the first Ctrl-C ends it in two seconds, a second at once, also while Kafka hangs", async () => {
  await send([event(1)]);
  const [followed, twice] = [tail(), tail()];
  await Promise.all([followed, twice].map((process) => process.printed('"sequence":1')));
  await kafka.pause();
  const starting = tail();
  await sleep(3_000);
  for (const process of [starting, followed, twice]) process.signal("SIGINT");
  const first = Promise.all([timed(starting), timed(followed)]);
  // npm passes the first one on a second time.
  twice.signal("SIGINT");
  await sleep(500);
  twice.signal("SIGINT");
  const second = await timed(twice);
  const ends = await first;
  await kafka.resume();
  expect([...ends, second].map(({ code }) => code)).toEqual([130, 0, 0]);
  for (const { ms } of ends) expect(ms).toBeLessThan(2_500);
  expect(second.ms).toBeLessThan(500);
});

test("over the death of the broker it goes on soon after, with each event once", async () => {
  await send([event(1), event(2)]);
  const following = tail();
  await following.printed('"sequence":2');
  await send([event(3)], 1);
  await following.printed('"sequence":3');
  await kafka.kill9();
  await sleep(4_000);
  await kafka.restart();
  const restartMs = performance.now();
  await send([event(4)]);
  await send([event(5)], 1);
  await following.printed('"sequence":4');
  await following.printed('"sequence":5');
  const ms = performance.now() - restartMs;
  console.log(`it went on after ${Math.round(ms)} ms`);
  following.signal("SIGTERM");
  const { code, stdout, stderr } = await following.ended;
  expect(code).toBe(0);
  expect(sequencesOf(stdout).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5]);
  expect(stderr).toMatch(/^(instant-payment: Kafka can't be read \(.+\): trying again\n)+$/);
  expect(ms).toBeLessThan(6_000);
});

test("a topic that is made anew is read from its beginning", async () => {
  await send([event(1), event(2), event(3)]);
  const following = tail();
  await following.printed('"sequence":3');
  await withAdmin((admin) => admin.deleteTopics({ topics: [topic] }));
  await until(
    () =>
      withAdmin((admin) => admin.createTopics({ topics: [{ topic, numPartitions: 2 }] })).then(
        () => true,
        () => false,
      ),
    "the topic is there again",
  );
  await send([event(4)]);
  await following.printed('"sequence":4');
  following.signal("SIGINT");
  expect(await timed(following)).toMatchObject({ code: 0 });
});
