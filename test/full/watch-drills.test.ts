// Three instances are killed in turn under load; their watchers go on with the others.
// `npm run test:chaos` runs the same with more kills.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createInstantPayment, type InstantPayment } from "../../sdk/src/node.ts";
import { startLoad } from "../support/event-drill.ts";
import { openTwentyAccounts } from "../support/hammer.ts";
import { expectInvariants } from "../support/invariants.ts";
import { createMigratedDatabase, openLedger, type TestLedger } from "../support/ledger.ts";
import type { TestDatabase } from "../support/postgres.ts";
import { inTime, until } from "../support/relay.ts";
import { INSTANCE_KEY, startInstance, type ServiceInstance } from "../support/service-instance.ts";
import { openTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";

const KILLS_OF_EACH = Number(process.env["DRILL_KILLS"] ?? 1);
const WATCHERS_OF_EACH = 3;
const HOLDS = 20;

vi.setConfig({ testTimeout: 240_000 + KILLS_OF_EACH * 30_000, hookTimeout: 120_000 });

let database: TestDatabase;
let ledger: TestLedger;
let instances: ServiceInstance[];
let proxy: TcpProxy;
let client: InstantPayment;
let connections = 0;

beforeAll(async () => {
  database = await createMigratedDatabase();
  ledger = await openLedger(database.url);
  instances = await Promise.all([1, 2, 3].map(() => startInstance(database.url)));
  // As a load balancer that doesn't know who lives: what is refused is tried at the next one.
  proxy = await openTcpProxy(instances[0]!.apiUrl, {
    target: () => instances[connections++ % instances.length]!.apiUrl,
    relay({ client, upstream }) {
      client.pipe(upstream).pipe(client);
    },
  });
  client = createInstantPayment({
    baseUrl: proxy.url,
    apiKey: INSTANCE_KEY,
    timeoutMs: 60_000,
    retry: { maxAttempts: 100, maxBackoffMs: 500 },
  });
});

afterAll(async () => {
  await proxy?.close();
  await Promise.all((instances ?? []).map((instance) => instance.kill()));
  await ledger?.close();
  await database?.drop();
});

/** The sequences that a watcher hears, until it has heard all that there are. */
interface Hearing {
  readonly sequences: number[];
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

function hear(open: (signal: AbortSignal) => AsyncIterable<number | undefined>): Hearing {
  const sequences: number[] = [];
  const stop = new AbortController();
  async function listen(): Promise<void> {
    for await (const sequence of open(stop.signal)) {
      if (sequence !== undefined) sequences.push(sequence);
    }
  }
  const done = listen().catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  return { sequences, stop, done };
}

async function* map<A, B>(items: AsyncIterable<A>, to: (item: A) => B): AsyncGenerator<B> {
  for await (const item of items) yield to(item);
}

/** Captures a cent after the other, each through whichever instance answers, then all. */
async function capture(paymentId: string, isOver: () => boolean): Promise<void> {
  const amount = { value: "0.01", currencyCode: "EUR" };
  while (!isOver()) {
    await client.capturePayment(paymentId, { idempotencyKey: randomUUID(), amount, final: false });
    await sleep(100);
  }
  await client.capturePayment(paymentId);
  await client.refundPayment(paymentId);
}

test("watchers of three instances that are killed in turn hear everything once and in order", async () => {
  const accountIds = await openTwentyAccounts(ledger);
  const bank = await ledger.open({ ownerId: "bank", overdraftMode: "UNBOUNDED" });
  const holds = await Promise.all(
    Array.from({ length: HOLDS }, () =>
      client.createPayment({
        debtorAccountId: bank.id,
        creditorAccountId: accountIds[0]!,
        amount: { value: "50.00", currencyCode: "EUR" },
        captureMode: "MANUAL",
      }),
    ),
  );
  const onAccounts = accountIds.map((id) =>
    Array.from({ length: WATCHERS_OF_EACH }, () =>
      hear((signal) =>
        map(client.watchAccount(id, { afterSequence: 0, signal }), ({ entry }) => entry?.sequence),
      ),
    ),
  );
  const onPayments = holds.map(({ id }) =>
    hear((signal) =>
      map(client.watchPayment(id, { afterSequence: 0, signal }), ({ sequence }) => sequence),
    ),
  );
  let isOver = false;
  const captures = holds.map(({ id }) => capture(id, () => isOver));
  const load = startLoad({ instances, accountIds, payments: Infinity, perSecond: 500 });
  for (let kill = 0; kill < KILLS_OF_EACH * instances.length; kill++) {
    const due = load.answered + 500;
    await until(() => load.answered >= due, "the load goes on");
    await instances[kill % instances.length]!.kill();
    await sleep(500);
    instances[kill % instances.length] = await startInstance(database.url);
  }
  load.stop();
  await inTime(load.done, "the last payments are answered");
  isOver = true;
  await inTime(Promise.all(captures), "all is captured and refunded");

  // Those of payments end by themselves.
  await inTime(Promise.all(onPayments.map(({ done }) => done)), "every payment's end is heard");
  for (const [i, { sequences }] of onPayments.entries()) {
    const { payment } = await ledger.findPayment.get(ADMIN, holds[i]!.id);
    expect(payment.sequence).toBeGreaterThan(3);
    expect(sequences).toEqual(upTo(payment.sequence));
  }
  let entries = 0;
  for (const [i, watchers] of onAccounts.entries()) {
    const { entrySequence } = await ledger.account(accountIds[i]!);
    entries += entrySequence;
    for (const { sequences, stop, done } of watchers) {
      await until(() => (sequences.at(-1) ?? 0) >= entrySequence, `entry ${entrySequence}`);
      stop.abort();
      await inTime(done, "a watch that is left ends");
      expect(sequences).toEqual(upTo(entrySequence));
    }
  }
  console.log(`${entries} entries, ${connections} connections`);
  await expectInvariants(database.url);
});

const ADMIN = {
  principal: { ownerId: "admin", scopes: new Set(["admin"] as const) },
  deadlineMs: Number.POSITIVE_INFINITY,
};

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1);
}
