import { expect, test } from "vitest";
import { createOutbox } from "../../src/events/outbox.ts";
import { createShardLeases, type ShardLeases } from "../../src/events/shard-leases.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { runSql } from "../support/sql.ts";
import { useFreshLedger } from "../support/use-ledger.ts";

const used = useFreshLedger();

const leasesOf = (monotonicMs = () => systemClock.monotonicMs(), toKafka = true): ShardLeases =>
  createShardLeases({
    database: used.ledger.database,
    clock: { ...systemClock, monotonicMs },
    databaseClock: used.ledger.databaseClock,
    toKafka,
  });

/** As it is after so many seconds without a word of anybody. */
const letAllRunOut = () =>
  runSql(
    used.url,
    "update relay_lease set expire_time = '-infinity'; update relay set expire_time = '-infinity'",
  );

test("Leases are shared anew when a relay comes and when one is gone", async () => {
  const relays = [leasesOf(), leasesOf(), leasesOf()];
  const rounds = async (count: number) => {
    for (let i = 0; i < count; i++) {
      for (const relay of relays) {
        await relay.renew();
        await relay.yieldSurplus(() => true);
      }
    }
  };
  const sizes = () => relays.map((relay) => relay.held().size);
  await relays[0]!.renew();
  expect(sizes()).toEqual([64, 0, 0]);
  await rounds(2);
  expect(sizes().toSorted((a, b) => a - b)).toEqual([20, 22, 22]);
  const all = relays.flatMap((relay) => [...relay.held().keys()]);
  expect(new Set(all).size).toBe(64);
  const gone = relays.pop()!;
  await letAllRunOut();
  await rounds(2);
  expect(sizes()).toEqual([32, 32]);
  await gone.release();
  expect(sizes()).toEqual([32, 32]);
});

test("A relay without Kafka leaves all shards to those with it until they've been gone for a while", async () => {
  const without = leasesOf(undefined, false);
  await without.renew();
  expect(without.held().size).toBe(64);
  const withKafka = [leasesOf(), leasesOf()];
  for (let round = 0; round < 2; round++) {
    for (const relay of [...withKafka, without]) {
      await relay.renew();
      await relay.yieldSurplus(() => true);
    }
  }
  await Promise.all(withKafka.map((relay) => relay.renew()));
  expect([...withKafka, without].map((relay) => relay.held().size)).toEqual([32, 32, 0]);
  await Promise.all(withKafka.map((relay) => relay.release()));
  await without.renew();
  expect([without.held().size, without.isOutranked]).toEqual([0, true]);
  await runSql(
    used.url,
    "update relay set expire_time = expire_time - interval '30 s' where to_kafka",
  );
  await without.renew();
  expect([without.held().size, without.isOutranked]).toEqual([64, false]);
});

test("Leases end by the own clock before they do by PostgreSQL's, and come back when they're renewed", async () => {
  let nowMs = 0;
  const leases = leasesOf(() => nowMs);
  expect(leases.held().size).toBe(0);
  await leases.renew();
  nowMs = 5_999;
  expect(leases.held().size).toBe(64);
  nowMs = 6_000;
  expect(leases.held().size).toBe(0);
  await leases.renew();
  expect([...new Set(leases.held().values())]).toEqual([1]);
});

test("Leases let nobody mark events of a shard that others have taken", async () => {
  await used.ledger.openFunded(20n);
  const outbox = createOutbox(used.ledger.database);
  const waiting = async () => (await runSql(used.url, "select id from unpublished_event")).flat();
  const late = leasesOf();
  await late.renew();
  const epochs = late.held();
  const events = await outbox.unpublished([...epochs.keys()]);
  expect(events).toHaveLength(1);
  await letAllRunOut();
  const next = leasesOf();
  await next.renew();
  await outbox.mark(events, epochs);
  expect(await waiting()).toEqual(events.map(({ id }) => id));
  await outbox.mark(events, next.held());
  expect(await waiting()).toEqual([]);
});
