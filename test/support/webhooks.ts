import { Writable } from "node:stream";
import { createEventRelay } from "../../src/events/event-relay.ts";
import { openDatabase, type Database } from "../../src/platform/database.ts";
import { createLogger } from "../../src/platform/logger.ts";
import { createMetrics } from "../../src/platform/metrics.ts";
import { createUnitOfWork } from "../../src/platform/unit-of-work.ts";
import { entities } from "../../src/schema.ts";
import { createFindDeliveries } from "../../src/webhooks/find-deliveries.ts";
import {
  createManageWebhooks,
  type NewWebhookEndpoint,
} from "../../src/webhooks/manage-webhooks.ts";
import { createWebhookEffect } from "../../src/webhooks/mark-effect.ts";
import { createNotifier } from "../../src/webhooks/notifier.ts";
import type { WebhookDeliveryRow } from "../../src/webhooks/webhook-delivery.entity.ts";
import { readWebhookEvent } from "../../src/webhooks/webhook.event.ts";
import { callAs } from "./ledger.ts";

/** The webhooks of one process, without Kafka. */
export interface TestWebhooks {
  readonly database: Database;
  readonly manage: ReturnType<typeof createManageWebhooks>;
  readonly deliveries: ReturnType<typeof createFindDeliveries>;
  /** Makes an endpoint of an owner; its id and secret. */
  readonly listen: (
    ownerId: string,
    url: string,
    more?: Partial<NewWebhookEndpoint>,
  ) => Promise<{ readonly id: string; readonly secret: string }>;
  /** All deliveries of an endpoint, the latest event first. */
  readonly log: (endpointId: string) => Promise<WebhookDeliveryRow[]>;
  /** The lines of the log. */
  readonly lines: Record<string, unknown>[];
  readonly metrics: () => Promise<string>;
  readonly stop: () => Promise<void>;
}

/** Starts a relay that feeds webhooks and a notifier that sends them, on connections of their own. */
export async function startWebhooks(
  url: string,
  { allowPrivate = true } = {},
): Promise<TestWebhooks> {
  const database = await openDatabase({ url, entities, poolSize: 2, commitPoolSize: 2 });
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(line: Buffer, _encoding, done) {
      lines.push(JSON.parse(line.toString()));
      done();
    },
  });
  const metrics = createMetrics();
  const shared = { database, logger: createLogger("info", stream), metrics };
  const readEvent = readWebhookEvent;
  const topic = { name: "none", partitions: 1, replicas: 1, retentionMs: 1 };
  const notifier = createNotifier({ ...shared, kafka: undefined, topic, readEvent, allowPrivate });
  const publisher = createWebhookEffect({ database, readEvent, written: notifier.wake });
  const relay = createEventRelay({ ...shared, publisher });
  const { orm } = database;
  const manage = createManageWebhooks({
    orm,
    unitOfWork: createUnitOfWork(database),
    allowPrivate,
  });
  const deliveries = createFindDeliveries({ orm });
  notifier.start();
  relay.start();
  return {
    database,
    manage,
    deliveries,
    async listen(ownerId, url, more) {
      const wanted = { url, eventTypes: [], description: "", ordered: false, ownerId: undefined };
      const made = await manage.create(callAs(ownerId), { ...wanted, ...more });
      return { id: made.endpoint.id, secret: made.secret };
    },
    async log(endpointId) {
      const query = { endpointId, pageSize: 1_000, pageToken: "" };
      return (await deliveries.list(callAs("admin"), query)).deliveries;
    },
    lines,
    metrics: () => metrics.registry.metrics(),
    async stop() {
      await relay.stop();
      await notifier.stop();
      await database.close();
    },
  };
}
