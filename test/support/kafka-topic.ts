import { randomUUID } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { Kafka, logLevel, type KafkaMessage, type ProducerRecord } from "kafkajs";
import { PaymentEventSchema } from "../../gen/instantpayment/v1/payment_pb.ts";
import type { SeenEvent } from "./event-consumer.ts";
import { until } from "./relay.ts";

/** A client for tests, which tries for as long as a killed broker needs to come back. */
export function createTestKafka(brokers: string[]): Kafka {
  return new Kafka({
    brokers,
    logLevel: logLevel.NOTHING,
    requestTimeout: 2_000,
    retry: { initialRetryTime: 50, retries: 60, maxRetryTime: 500 },
  });
}

/** What has been read of a topic so far. */
export interface TopicReader {
  /** Of each partition in the order of the partition. */
  readonly messages: readonly KafkaMessage[];
  readonly events: readonly SeenEvent[];
  readonly stop: () => Promise<void>;
}

/** Reads a topic from its first message on, as a consumer in a group of its own. */
export async function readTopic(brokers: string[], topic: string): Promise<TopicReader> {
  const consumer = createTestKafka(brokers).consumer({
    groupId: randomUUID(),
    maxWaitTimeInMs: 100,
    retry: { retries: 60, initialRetryTime: 50, maxRetryTime: 500 },
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const messages: KafkaMessage[] = [];
  const events: SeenEvent[] = [];
  await consumer.run({
    eachBatchAutoResolve: true,
    eachBatch: async ({ batch }) => {
      for (const message of batch.messages) {
        messages.push(message);
        const { eventId, sequence, payment } = fromBinary(PaymentEventSchema, message.value!);
        events.push({ eventId, sequence, paymentId: payment!.id });
      }
    },
  });
  return { messages, events, stop: () => consumer.disconnect() };
}

/** Puts messages into a topic that is there, past every rule of the service. */
export async function sendToTopic(brokers: string[], record: ProducerRecord): Promise<void> {
  const producer = createTestKafka(brokers).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  await producer.send(record);
  await producer.disconnect();
}

/** What of a topic was set aside, once there is so much of it: within half a minute. */
export async function readDeadLetters(
  brokers: string[],
  topic: string,
  count: number,
): Promise<KafkaMessage[]> {
  const client = createTestKafka(brokers);
  const admin = client.admin();
  await admin.connect();
  const isThere = async () => (await admin.listTopics()).includes(`${topic}.dlq`);
  await until(isThere, "something is set aside");
  await admin.disconnect();
  const consumer = client.consumer({ groupId: randomUUID(), maxWaitTimeInMs: 100 });
  const found: KafkaMessage[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic: `${topic}.dlq`, fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void found.push(message) });
  await until(() => found.length >= count, `${count} messages are set aside`);
  await consumer.disconnect();
  return found;
}
