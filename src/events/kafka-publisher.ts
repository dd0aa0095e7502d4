import type { Kafka, Message, PartitionerArgs, Producer } from "kafkajs";
import { connectProducer, kafkaRefusal } from "../platform/kafka.ts";
import { cloudEventHeaders } from "./cloud-event.ts";
import { createTopicCheck, ensureTopic, type EventTopic } from "./kafka-topic.ts";
import { shardOf } from "./shard.ts";
import { type OutboxEvent, type Publisher, RefusedEventsError } from "./publisher.ts";

/** Kafka takes at most 1 MiB for a partition at a time, unless it's told otherwise. */
const MAX_REQUEST_BYTES = 800 * 1_024;
/** Key, headers and what frames them; a little more than it is. */
const BYTES_BESIDE_PAYLOAD = 512;

/**
 * Publishes to Kafka, by an idempotent producer that waits for all replicas in sync. The key is the
 * payment's id, the partition that of its shard: kafkajs's own hash of the key is a tenth of all
 * that publishing costs.
 */
export function createKafkaPublisher(kafka: Kafka, topic: EventTopic): Publisher {
  let connected: Promise<Producer> | undefined;
  const topicCheck = createTopicCheck(kafka, topic.name);

  async function connect(): Promise<Producer> {
    await ensureTopic(kafka, topic);
    return connectProducer(kafka, {
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: () => partitionOf,
      retry: { retries: 4 },
    });
  }

  /**
   * A producer that has failed isn't used again. It would give the numbers of messages whose fate is
   * unknown to the next ones, which Kafka then takes for repetitions: acknowledged and lost.
   */
  function abandon(): void {
    void connected?.then((producer) => producer.disconnect()).catch(() => undefined);
    connected = undefined;
  }

  async function open(): Promise<Producer> {
    connected ??= connect();
    try {
      return await connected;
    } catch (error) {
      abandon();
      throw error;
    }
  }

  return {
    open: async () => (await open()) !== undefined,
    async publish(events) {
      const producer = await open();
      try {
        for (const part of partsOf(events)) {
          await producer.send({ topic: topic.name, acks: -1, messages: part.map(toMessage) });
        }
      } catch (error) {
        abandon();
        const refusal = kafkaRefusal(error);
        if (refusal === undefined) throw error;
        throw new RefusedEventsError(`Kafka refuses an event: ${refusal}`, { cause: error });
      }
    },
    check: topicCheck.check,
    async close() {
      const producer = await connected?.catch(() => undefined);
      connected = undefined;
      await Promise.all([producer?.disconnect(), topicCheck.close()]);
    },
  };
}

/** In order, each small enough for one request. */
function* partsOf(events: readonly OutboxEvent[]): Generator<readonly OutboxEvent[]> {
  let first = 0;
  let bytes = 0;
  for (const [i, { payload }] of events.entries()) {
    const size = payload.length + BYTES_BESIDE_PAYLOAD;
    if (i > first && bytes + size > MAX_REQUEST_BYTES) {
      yield events.slice(first, i);
      first = i;
      bytes = 0;
    }
    bytes += size;
  }
  yield events.slice(first);
}

/** The same for all events of a payment. */
function partitionOf({ message, partitionMetadata }: PartitionerArgs): number {
  return shardOf(String(message.key)) % partitionMetadata.length;
}

function toMessage(event: OutboxEvent): Message {
  return {
    key: event.paymentId,
    value: event.payload as Buffer,
    timestamp: String(event.occurTimeMs),
    headers: cloudEventHeaders(event),
  };
}
