import type { Admin, Kafka } from "kafkajs";
import type { KafkaSettings } from "../platform/kafka-settings.ts";

/** The topic that events go to, and how it's made if there is none. */
export interface EventTopic {
  readonly name: string;
  readonly partitions: number;
  /** Undefined: as many as the brokers make by default. */
  readonly replicas: number | undefined;
  readonly retentionMs: number;
}

/** What the settings say of the topic. */
export function eventTopicOf(settings: KafkaSettings): EventTopic {
  return {
    name: settings.KAFKA_TOPIC,
    partitions: settings.KAFKA_TOPIC_PARTITIONS,
    replicas: settings.KAFKA_TOPIC_REPLICAS,
    retentionMs: settings.KAFKA_TOPIC_RETENTION_HOURS * 3_600_000,
  };
}

/** Asks the brokers for a topic, for readiness. */
export interface TopicCheck {
  /** Throws, with a reason for operators, unless each of its partitions has a leader. */
  readonly check: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Makes the check, which keeps its connection as long as it works. */
export function createTopicCheck(kafka: Kafka, name: string): TopicCheck {
  let asking: Promise<Admin> | undefined;

  async function check(): Promise<void> {
    asking ??= connectAdmin(kafka);
    try {
      const { topics } = await (await asking).fetchTopicMetadata({ topics: [name] });
      const away = topics[0]?.partitions.filter(({ leader }) => leader < 0) ?? [];
      if (away.length > 0) throw new Error(`${away.length} partitions have no leader`);
    } catch (error) {
      void asking?.then((admin) => admin.disconnect()).catch(() => undefined);
      asking = undefined;
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`Kafka: ${reason} (topic ${name})`, { cause: error });
    }
  }

  return {
    check,
    async close() {
      const admin = await asking?.catch(() => undefined);
      asking = undefined;
      await admin?.disconnect();
    },
  };
}

/** A connection that gives up soon. */
async function connectAdmin(kafka: Kafka): Promise<Admin> {
  const admin = kafka.admin({ retry: { retries: 1 } });
  await admin.connect();
  return admin;
}

/**
 * Makes the topic unless there is one; several instances may try at once. Throws, with Kafka's
 * reason, if it can't be made.
 */
export async function ensureTopic(kafka: Kafka, topic: EventTopic): Promise<void> {
  const admin = await connectAdmin(kafka);
  try {
    const there = await admin.listTopics();
    if (there.includes(topic.name)) return;
    await createTopic(admin, topic);
  } finally {
    await admin.disconnect();
  }
}

async function createTopic(admin: Admin, topic: EventTopic): Promise<void> {
  try {
    await admin.createTopics({
      waitForLeaders: true,
      topics: [
        {
          topic: topic.name,
          numPartitions: topic.partitions,
          replicationFactor: topic.replicas ?? -1,
          configEntries: [
            { name: "retention.ms", value: String(topic.retentionMs) },
            // kafkajs can't unpack all that others may send; the broker can, before it keeps it.
            { name: "compression.type", value: "uncompressed" },
          ],
        },
      ],
    });
  } catch (error) {
    // kafkajs has the reasons in a list beside a message that tells none.
    const reasons = (error as { errors?: readonly Error[] }).errors ?? [error as Error];
    const text = reasons.map(({ message }) => message).join("; ");
    throw new Error(`the topic ${topic.name} can't be made: ${text}`, { cause: error });
  }
}
