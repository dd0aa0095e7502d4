import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { startKafka, type KafkaService } from "../test/support/services/kafka.ts";
import { startService } from "./service.ts";

/** A process that publishes the payments of a database, and the Kafka that it publishes to. */
export interface EventRelay {
  /** How many events wait. */
  unpublished(): Promise<number>;
  /** Throws if that takes longer than two minutes. */
  untilPublished(): Promise<void>;
  readonly pid: number;
  /** Of its Kafka. */
  readonly brokers: readonly string[];
  stop(): Promise<void>;
}

/** Far longer than what is waited for takes. */
const UNTIL_PUBLISHED_MS = 120_000;

/** Starts a Kafka of its own and one relay beside the services. Throws if Kafka can't be had. */
export async function startRelay(databaseUrl: string): Promise<EventRelay> {
  return startRelayOf(databaseUrl, await startKafka({ own: true }));
}

/** Starts one relay beside the services, and has it end the Kafka that it's given. */
export async function startRelayOf(databaseUrl: string, kafka: KafkaService): Promise<EventRelay> {
  const process = await startService(databaseUrl, randomUUID(), {
    ROLES: "relay",
    KAFKA_BROKERS: kafka.brokers.join(","),
  });

  async function unpublished(): Promise<number> {
    const client = new Client({ connectionString: databaseUrl });
    await client.connect();
    const text = "select count(*)::int as n from unpublished_event";
    const { rows } = await client.query<{ n: number }>(text);
    await client.end();
    return rows[0]?.n ?? 0;
  }

  return {
    pid: process.pid,
    brokers: kafka.brokers,
    unpublished,
    async untilPublished() {
      const limit = AbortSignal.timeout(UNTIL_PUBLISHED_MS);
      while ((await unpublished()) > 0) {
        if (limit.aborted) throw new Error("events aren't published");
        await sleep(200);
      }
    },
    async stop() {
      await process.stop();
      await kafka.stop();
    },
  };
}
