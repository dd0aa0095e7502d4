import { Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startKafka, type KafkaService } from "../support/services/kafka.ts";

let service: KafkaService;
let kafka: Kafka;

beforeAll(async () => {
  service = await startKafka({ own: true });
  kafka = new Kafka({
    brokers: service.brokers,
    logLevel: logLevel.NOTHING,
    requestTimeout: 2_000,
    retry: { initialRetryTime: 50, retries: 30, maxRetryTime: 500 },
  });
}, 180_000);

afterAll(() => service?.stop());

async function produce(topic: string, ...values: string[]): Promise<void> {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  await producer.send({ topic, acks: -1, messages: values.map((value) => ({ key: "k", value })) });
  await producer.disconnect();
}

/** The values of the topic's first messages. */
async function consume(topic: string, count: number): Promise<string[]> {
  const consumer = kafka.consumer({ groupId: `of-${topic}`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const values: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ message }: { message: { value: Buffer | null } }) => {
      values.push(String(message.value));
      if (values.length === count) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  return values;
}

test("Kafka keeps messages in order over a kill -9", async () => {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: "drill", numPartitions: 1 }] });
  await admin.disconnect();
  await produce("drill", "1", "2");
  await service.kill9();
  await service.restart();
  await produce("drill", "3");
  expect(await consume("drill", 3)).toEqual(["1", "2", "3"]);
}, 90_000);

test("A paused Kafka takes a message once it goes on", async () => {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: "paused", numPartitions: 1 }] });
  await admin.disconnect();
  await service.pause();
  let taken = false;
  const producing = produce("paused", "late").then(() => (taken = true));
  await new Promise((done) => setTimeout(done, 500));
  expect(taken).toBe(false);
  await service.resume();
  await producing;
  expect(await consume("paused", 1)).toEqual(["late"]);
}, 60_000);
