import { randomInt, randomUUID } from "node:crypto";
import { expect } from "vitest";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import { followByRule } from "./event-consumer.ts";
import { expectInvariants, expectStored } from "./invariants.ts";
import { readTopic } from "./kafka-topic.ts";
import type { TestLedger, TestPayment } from "./ledger.ts";
import { until } from "./relay.ts";
import { untilTold, type ServiceInstance } from "./service-instance.ts";
import { runSql } from "./sql.ts";

/** Payments that are being made. */
export interface Load {
  /** How many have been answered. */
  readonly answered: number;
  /** How many batches had to be sent again. */
  readonly resent: number;
  /** All answers, once `stop` was called or the last payment is made. */
  readonly done: Promise<PaymentRow[]>;
  readonly stop: () => void;
}

/** What to pay and through whom. An instance that takes another's place is used from then on. */
export interface LoadOptions {
  readonly instances: readonly ServiceInstance[];
  readonly accountIds: readonly string[];
  /** At most so many. */
  readonly payments: number;
  /** At most so many a second; absent: as many as can be. */
  readonly perSecond?: number;
}

const BATCH = 100;
const CALLERS = 8;
/** A backlog of a drill's whole length is read and published within it. */
const LIMIT_MS = 300_000;

/** Pays from everybody to everybody, in batches, each sent until its outcome is told. */
export function startLoad(options: LoadOptions): Load {
  const { instances, payments, perSecond = Infinity } = options;
  const answers: PaymentRow[] = [];
  const startMs = performance.now();
  const run = randomUUID();
  let sent = 0;
  let attempts = 0;
  let batches = 0;
  const stopping = new AbortController();

  async function call(caller: number): Promise<void> {
    while (!stopping.signal.aborted && sent < payments) {
      const first = sent;
      sent += BATCH;
      const dueMs = startMs + (first / perSecond) * 1_000;
      if (dueMs > performance.now()) {
        await new Promise((due) => setTimeout(due, dueMs - performance.now()));
      }
      const batch = Array.from({ length: BATCH }, (_, i) =>
        randomPayment(options, `${run} ${first + i}`),
      );
      const send = (instance: ServiceInstance) => {
        attempts++;
        return instance.payBatch(batch);
      };
      const told = await untilTold(instances, send, caller);
      batches++;
      answers.push(...told.map(({ payment }) => payment));
    }
  }

  const done = Promise.all(Array.from({ length: CALLERS }, (_, i) => call(i)));
  return {
    get answered() {
      return answers.length;
    },
    get resent() {
      return attempts - batches;
    },
    done: done.then(() => answers),
    stop: () => stopping.abort(),
  };
}

function randomPayment({ accountIds }: LoadOptions, idempotencyKey: string): TestPayment {
  const debtor = randomInt(accountIds.length);
  const creditor = (debtor + 1 + randomInt(accountIds.length - 1)) % accountIds.length;
  return {
    idempotencyKey,
    debtorAccountId: accountIds[debtor]!,
    creditorAccountId: accountIds[creditor]!,
    amountMinor: BigInt(randomInt(1, 30_000)),
  };
}

/** Waits until the relays have published everything. */
export async function untilPublished(databaseUrl: string): Promise<void> {
  await until(
    async () => {
      const text = "select exists (select from unpublished_event)";
      return (await runSql(databaseUrl, text)).flat()[0] === false;
    },
    "all events are published",
    LIMIT_MS,
  );
}

/** What is checked after a drill. */
export interface DrillEnd {
  readonly databaseUrl: string;
  readonly ledger: TestLedger;
  readonly brokers: string[];
  readonly topic: string;
  readonly answers: readonly PaymentRow[];
}

/**
 * Fails unless Kafka has the event of every committed change and of nothing else, in order and
 * without gap for a consumer by the rule, and unless the ledger is right and every answer true.
 * Returns how many events came more than once.
 */
export async function expectAllPublished(end: DrillEnd): Promise<number> {
  await untilPublished(end.databaseUrl);
  const rows = await runSql(
    end.databaseUrl,
    "select event_id, payment_id, sequence from payment_event",
  );
  const committed = new Map(
    (rows as [string, string, number][]).map(([id, ...rest]) => [id, rest.join(" ")]),
  );
  const reader = await readTopic(end.brokers, end.topic);
  const missing = new Set(committed.keys());
  let read = 0;
  await until(
    () => {
      for (const { eventId } of reader.events.slice(read)) missing.delete(eventId);
      read = reader.events.length;
      return missing.size === 0;
    },
    "every committed change is in Kafka",
    LIMIT_MS,
  );
  await reader.stop();
  const { breaches, repeated, eventIds } = followByRule(reader.events);
  expect(breaches.slice(0, 10)).toEqual([]);
  const invented = [...eventIds].flatMap(([paymentId, ids]) =>
    ids.filter((id, i) => committed.get(id) !== `${paymentId} ${i + 1}`),
  );
  expect(invented.slice(0, 10)).toEqual([]);
  await expectInvariants(end.databaseUrl);
  await expectStored(end.databaseUrl, end.answers);
  expect((await end.ledger.verify()).findings).toEqual([]);
  return repeated;
}
