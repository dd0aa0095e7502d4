import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { describe, expect, test } from "vitest";
import { RefusedEventsError, type OutboxEvent } from "../../src/events/publisher.ts";
import { shardOf } from "../../src/events/shard.ts";
import { ADD_EVENT, createKeepingPublisher, until } from "../support/relay.ts";
import { runSql } from "../support/sql.ts";
import { expectFollowed, useRelays } from "../support/use-relays.ts";

const used = useRelays();

describe("A relay", () => {
  test("publishes every committed change once and marks it", async () => {
    const publisher = createKeepingPublisher();
    const early = await used.pay(300);
    const relay = await used.start(publisher);
    const late = await used.pay(300);
    await until(async () => (await used.unpublishedRows()) === 0, "all events are marked");
    expect(publisher.kept).toHaveLength(600);
    expectFollowed(publisher, [...early, ...late]);
    const metrics = await relay.metrics();
    expect(metrics).toContain("instant_payment_relay_lag_seconds_count 600");
    expect(metrics).toContain("instant_payment_relay_leases 64");
    expect(metrics).toContain("instant_payment_outbox_events 0");
    expect(metrics).toContain("instant_payment_outbox_oldest_seconds 0");
  });

  test("publishes the changes of a payment in their order", async () => {
    const publisher = createKeepingPublisher();
    const [paymentId] = await used.pay(1);
    // Five more changes of it, among those of others; one event each, as the ledger writes them.
    for (let sequence = 2; sequence <= 6; sequence++) {
      await used.pay(20);
      await runSql(used.database.url, ADD_EVENT, [paymentId, sequence, randomUUID()]);
    }
    await used.start(publisher);
    await until(() => publisher.kept.length === 106, "all events are published");
    const ids = publisher.kept.filter((event) => event.paymentId === paymentId);
    const { rows } = await used.ledger.database.commitPool.query<{ event_id: string }>(
      "select event_id from payment_event where payment_id = $1 order by sequence",
      [paymentId],
    );
    expect(ids.map(({ eventId }) => eventId)).toEqual(rows.map((row) => row.event_id));
    await runSql(used.database.url, "delete from payment_event where sequence > 1");
  });

  test("loses no event of a transaction that commits after later ones, and waits for none", async () => {
    const publisher = createKeepingPublisher();
    await used.start(publisher);
    const [model] = await used.pay(1);
    const slow = new Client({ connectionString: used.database.url });
    await slow.connect();
    await slow.query("begin");
    // Its id is drawn here, before those of the payments that follow.
    await slow.query(ADD_EVENT, [model, 2, randomUUID()]);
    const others = await used.pay(200);
    await until(() => publisher.kept.length === 201, "the others' events are published");
    expect(new Set(publisher.kept.map(({ paymentId }) => paymentId))).toEqual(
      new Set([model, ...others]),
    );
    await slow.query("commit");
    await slow.end();
    await until(() => publisher.kept.length === 202, "the late event is published");
    expect(publisher.kept.at(-1)!.paymentId).toBe(model);
    await runSql(used.database.url, "delete from payment_event where sequence > 1");
  });

  test("halts the shard of an event that is refused, and no other, until it's taken", async () => {
    const publisher = createKeepingPublisher();
    const paymentIds = await used.pay(400);
    const culprit = paymentIds[200]!;
    publisher.before = (events) => {
      if (events.some(({ paymentId }) => paymentId === culprit)) throw new RefusedEventsError("no");
    };
    const relay = await used.start(publisher);
    const shard = shardOf(culprit);
    await until(() => relay.log.includes("an event is refused; its shard waits"), "it's refused");
    await until(
      async () => (await used.unpublishedRows()) === (await rowsFrom(culprit)),
      "all before it and all of other shards are published",
    );
    expect(publisher.kept.filter((event) => event.paymentId === culprit)).toEqual([]);
    const more = await used.pay(200);
    const elsewhere = more.filter((id) => shardOf(id) !== shard);
    await until(
      () => elsewhere.every((id) => publisher.kept.some(({ paymentId }) => paymentId === id)),
      "other shards go on",
    );
    expect(await relay.metrics()).toMatch(/instant_payment_relay_errors_total [1-9]/);
    expect(relay.degraded()).toBe("1 of 64 shards wait, since an event is refused");
    expect(relay.check).not.toThrow();
    publisher.before = () => undefined;
    await until(async () => (await used.unpublishedRows()) === 0, "the shard goes on");
    expect(relay.degraded()).toBeUndefined();
    expectFollowed(publisher, [...paymentIds, ...more]);
    expectOrderOfIds(publisher.kept.filter((event) => event.shard === shard));
  });

  test("waits while nothing can be published, holds a bounded part, and loses nothing", async () => {
    const publisher = createKeepingPublisher();
    publisher.before = () => {
      throw new Error("Kafka is away");
    };
    const relay = await used.start(publisher);
    const paymentIds: string[] = [];
    for (let i = 0; i < 4; i++) paymentIds.push(...(await used.pay(500)));
    await until(() => publisher.batches.length > 4, "it tries again");
    expect(relay.check).toThrow("Kafka is away");
    expect(relay.degraded()).toBe("events can't be published: Kafka is away");
    expect(Math.max(...publisher.batches)).toBeLessThanOrEqual(1_024);
    const metrics = await relay.metrics();
    expect(metrics).toContain("instant_payment_outbox_events 2000");
    expect(metrics).toMatch(/instant_payment_outbox_oldest_seconds \d*\.\d*[1-9]/);
    publisher.before = () => undefined;
    await until(async () => (await used.unpublishedRows()) === 0, "all is published");
    expectFollowed(publisher, paymentIds);
    expect(relay.log).toContain("events are published again");
    expect(relay.check).not.toThrow();
  });

  test("ends within seconds though what it publishes hangs", { timeout: 30_000 }, async () => {
    const publisher = createKeepingPublisher();
    publisher.before = () => new Promise(() => undefined);
    const relay = await used.start(publisher);
    await used.pay(1);
    await until(() => publisher.batches.length === 1, "it publishes");
    const startMs = performance.now();
    await relay.stop();
    expect(performance.now() - startMs).toBeLessThan(15_000);
  });

  test("gives its shards to the others when it stops", async () => {
    const [first, second] = [createKeepingPublisher(), createKeepingPublisher()];
    const relay = await used.start(first);
    const early = await used.pay(50);
    await until(() => first.kept.length === 50, "the first publishes");
    await relay.stop();
    const late = await used.pay(50);
    await used.start(second);
    await until(() => second.kept.length === 50, "the second publishes");
    expectFollowed(first, early);
    expectFollowed(second, late);
  });
});

/** How many events of the payment's shard aren't before its own. */
async function rowsFrom(paymentId: string): Promise<number> {
  const [row] = await runSql(
    used.database.url,
    `select count(*)::int from payment_event e join payment_event c on c.payment_id = $1
     where e.shard = c.shard and e.id >= c.id`,
    [paymentId],
  );
  return row![0] as number;
}

function expectOrderOfIds(events: readonly OutboxEvent[]): void {
  const ids = events.map(({ id }) => Number(id));
  expect(ids).toEqual(ids.toSorted((a, b) => a - b));
}
