import { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fromBinary } from "@bufbuild/protobuf";
import { PaymentEventSchema } from "../../gen/instantpayment/v1/payment_pb.ts";
import { createEventRelay } from "../../src/events/event-relay.ts";
import type { OutboxEvent, Publisher } from "../../src/events/publisher.ts";
import type { Relay } from "../../src/events/relay.ts";
import { openDatabase } from "../../src/platform/database.ts";
import { createLogger } from "../../src/platform/logger.ts";
import { createMetrics } from "../../src/platform/metrics.ts";
import { entities } from "../../src/schema.ts";
import type { SeenEvent } from "./event-consumer.ts";

/** A publisher that keeps what it's given, unless `before` throws. */
export interface KeepingPublisher extends Publisher {
  readonly kept: OutboxEvent[];
  /** Sizes of what it was given at once. */
  readonly batches: number[];
  before: (events: readonly OutboxEvent[]) => void | Promise<void>;
}

/** Takes the place of Kafka where a test is about what the relay does. */
export function createKeepingPublisher(): KeepingPublisher {
  const publisher: KeepingPublisher = {
    kept: [],
    batches: [],
    before: () => undefined,
    open: async () => true,
    async publish(events) {
      publisher.batches.push(events.length);
      await publisher.before(events);
      publisher.kept.push(...events);
    },
    check: async () => undefined,
    close: async () => undefined,
  };
  return publisher;
}

/** A relay under test. */
export interface TestRelay extends Relay {
  /** Its metrics as Prometheus reads them. */
  readonly metrics: () => Promise<string>;
  /** The messages of its log. */
  readonly log: string[];
}

/** Starts a relay with connections of its own; `stop` closes them. */
export async function startTestRelay(url: string, publisher: Publisher): Promise<TestRelay> {
  const database = await openDatabase({ url, entities, poolSize: 1, commitPoolSize: 2 });
  const log: string[] = [];
  const stream = new Writable({
    write(line: Buffer, _encoding, done) {
      log.push((JSON.parse(line.toString()) as { msg: string }).msg);
      done();
    },
  });
  const metrics = createMetrics();
  const relay = createEventRelay({
    database,
    publisher,
    logger: createLogger("info", stream),
    metrics,
  });
  relay.start();
  return {
    ...relay,
    log,
    metrics: () => metrics.registry.metrics(),
    async stop() {
      await relay.stop();
      await database.close();
    },
  };
}

/** A further change's event of payment $1 with sequence $2 and id $3, as the ledger writes it. */
export const ADD_EVENT = `
  with logged as (
    insert into payment_event (payment_id, sequence, create_time, event_id, shard, payload)
    select payment_id, $2, create_time, $3, shard, payload from payment_event
    where payment_id = $1 and sequence = 1
    returning shard, id, payment_id, sequence, create_time)
  insert into unpublished_event select * from logged`;

/** The parts of a published event by which a consumer follows its payment. */
export function toSeenEvent({ payload }: Pick<OutboxEvent, "payload">): SeenEvent {
  const { eventId, sequence, payment } = fromBinary(PaymentEventSchema, payload);
  return { eventId, sequence, paymentId: payment!.id };
}

/** What a promise comes to; throws if that takes longer than a minute. */
export async function inTime<T>(coming: Promise<T>, what: string): Promise<T> {
  const late = sleep(60_000, undefined, { ref: false }).then(() => {
    throw new Error(`it never came: ${what}`);
  });
  return Promise.race([coming, late]);
}

/** Waits until it holds, at most for half a minute unless told otherwise. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 30_000,
): Promise<void> {
  const deadline = AbortSignal.timeout(limitMs);
  while (!(await holds())) {
    if (deadline.aborted) throw new Error(`it never came: ${what}`);
    await sleep(20);
  }
}
