import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { startKafka } from "../test/support/services/kafka.ts";
import { startService } from "./service.ts";

/** A process that publishes the payments of a database, and the Kafka that it publishes to. */
export interface EventRelay {
  /** How many events wait. */
  unpublished(): Promise<number>;
  untilPublished(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a Kafka of its own and one relay beside the services. Throws if Kafka can't be had. */
export async function startRelay(databaseUrl: string): Promise<EventRelay> {
  const kafka = await startKafka({ own: true });
  const process = await startService(databaseUrl, randomUUID(), {
    ROLES: "relay",
    KAFKA_BROKERS: kafka.brokers.join(","),
  });

  async function unpublished(): Promise<number> {
    const client = new Client({ connectionString: databaseUrl });
    await client.connect();
    const text = "select count(*)::int as n from payment_event where publish_time is null";
    const { rows } = await client.query<{ n: number }>(text);
    await client.end();
    return rows[0]?.n ?? 0;
  }

  return {
    unpublished,
    async untilPublished() {
      while ((await unpublished()) > 0) await sleep(200);
    },
    async stop() {
      await process.stop();
      await kafka.stop();
    },
  };
}
