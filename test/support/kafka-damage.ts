import type { Admin } from "kafkajs";
import { until } from "./relay.ts";

/** What Kafka has of a topic's first partition: the first offset, and the one after the last. */
export async function spanOf(
  admin: Admin,
  topic: string,
): Promise<{ readonly first: number; readonly end: number }> {
  const { low, high } = (await admin.fetchTopicOffsets(topic))[0]!;
  return { first: Number(low), end: Number(high) };
}

/** Deletes all events of a topic with one partition. */
export async function emptyTopic(admin: Admin, topic: string): Promise<void> {
  const { end } = await spanOf(admin, topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(end) }] });
}

/** Deletes a topic and makes it anew, with one partition. */
export async function remakeTopic(admin: Admin, topic: string): Promise<void> {
  await admin.deleteTopics({ topics: [topic] });
  const isGone = async () => !(await admin.listTopics()).includes(topic);
  await until(isGone, "the topic is gone");
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1 }] });
}
