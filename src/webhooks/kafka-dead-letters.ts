import type { IHeaders, Kafka, KafkaMessage, Message, Producer } from "kafkajs";
import { ensureTopic, type EventTopic } from "../events/kafka-topic.ts";
import { connectProducer, kafkaRefusal } from "../platform/kafka.ts";

/** A message of the events' topic that can't be told to anybody, and why. */
export interface DeadLetter {
  readonly message: KafkaMessage;
  readonly error: unknown;
}

/** The topic `<topic>.dlq`, made when there is something for it. */
export interface DeadLetters {
  readonly topic: string;
  /** Resolves once all are kept. After an error some may be: then all have to be buried again. */
  readonly bury: (partition: number, dead: readonly DeadLetter[]) => Promise<void>;
  readonly close: () => Promise<void>;
}

const KEPT_MS = 30 * 24 * 3_600_000;

/** Sets aside what comes of a topic as it came, with headers that tell where it was and why. */
export function createDeadLetters(kafka: Kafka, events: EventTopic): DeadLetters {
  const topic = `${events.name}.dlq`;
  let connecting: Promise<Producer> | undefined;

  async function connect(): Promise<Producer> {
    const { replicas } = events;
    await ensureTopic(kafka, { name: topic, partitions: 1, replicas, retentionMs: KEPT_MS });
    return connectProducer(kafka, {});
  }

  /** Whatever it couldn't do, the topic may be gone: the next one makes it anew. */
  async function withProducer(work: (producer: Producer) => Promise<unknown>): Promise<void> {
    const ours = (connecting ??= connect());
    try {
      await work(await ours);
    } catch (error) {
      if (connecting === ours) connecting = undefined;
      void ours.then((producer) => producer.disconnect()).catch(() => undefined);
      throw error;
    }
  }

  /** Without all that is its own if Kafka refuses it: key and headers too may be what is too large. */
  async function keep(producer: Producer, told: IHeaders, message: KafkaMessage): Promise<void> {
    const { key, value, headers } = message;
    const send = (one: Message) => producer.send({ topic, messages: [one] });
    try {
      await send({ key, value, headers: { ...writable(headers), ...told } });
    } catch (error) {
      const refusal = kafkaRefusal(error);
      if (refusal === undefined) throw error;
      const bytes = String(value?.length ?? 0);
      const leftOut = { "dlq-left-out": refusal, "dlq-value-bytes": bytes };
      await send({ value: null, headers: { ...told, ...leftOut } });
    }
  }

  return {
    topic,
    async bury(partition, dead) {
      if (dead.length === 0) return;
      const told = ({ message, error }: DeadLetter) => ({
        "dlq-error": String(error).slice(0, 1_000),
        "dlq-topic": events.name,
        "dlq-partition": String(partition),
        "dlq-offset": message.offset,
      });
      // Each by itself, so that none is refused for the size of all.
      await withProducer((producer) =>
        Promise.all(dead.map((one) => keep(producer, told(one), one.message))),
      );
    },
    async close() {
      const producer = await connecting?.catch(() => undefined);
      await producer?.disconnect();
    },
  };
}

/** kafkajs reads headers without a value, but fails to write them. */
function writable(headers: IHeaders = {}): IHeaders {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, [value].flat().map((one) => one ?? "")]),
  );
}
