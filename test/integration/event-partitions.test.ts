import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { expect, test } from "vitest";
import { openDatabase } from "../../src/platform/database.ts";
import { dropPublishedEvents } from "../../src/scheduler/event-partitions.ts";
import { entities } from "../../src/schema.ts";
import { runSql } from "../support/sql.ts";
import { useFreshLedger } from "../support/use-ledger.ts";

const DAY_MS = 86_400_000;

const used = useFreshLedger();

/** A partition of the day so many days ago. */
async function addDay(daysAgo: number): Promise<string> {
  const from = new Date(Math.floor(Date.now() / DAY_MS - daysAgo) * DAY_MS);
  const to = new Date(from.getTime() + DAY_MS);
  const name = `payment_event_${from.toISOString().slice(0, 10).replaceAll("-", "_")}`;
  await runSql(
    used.url,
    `create table ${name} partition of payment_event
     for values from ('${from.toISOString()}') to ('${to.toISOString()}')`,
  );
  return name;
}

/** Puts a payment and its event back by so many days, into a partition of `addDay`. */
async function payDaysAgo(daysAgo: number, published: boolean): Promise<string> {
  await used.ledger.openFunded(100n);
  const [row] = await runSql(used.url, "select id from payment order by id desc limit 1");
  const id = row![0] as string;
  for (const table of ["payment_event", "unpublished_event"]) {
    const set = `create_time = create_time - $2 * interval '1 day'`;
    await runSql(used.url, `update ${table} set ${set} where payment_id = $1`, [id, daysAgo]);
  }
  if (published) await publish(id);
  return id;
}

const publish = (id: string) =>
  runSql(used.url, "delete from unpublished_event where payment_id = $1", [id]);

const eventDays = async () =>
  (
    await runSql(
      used.url,
      `select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
       where i.inhparent = 'payment_event'::regclass order by 1`,
    )
  ).flat();

/** As the job of an instance of its own. */
async function drop(): Promise<string[]> {
  const options = { url: used.url, entities, poolSize: 1, commitPoolSize: 2 };
  const instance = await openDatabase(options);
  const dropped = await dropPublishedEvents(instance);
  await instance.close();
  return dropped;
}

test("Days that are a week old go once all until their end is published, and no others", async () => {
  const [tenth, ninth, eighth, seventh] = [
    await addDay(10),
    await addDay(9),
    await addDay(8),
    await addDay(7),
  ];
  await payDaysAgo(10, true);
  const waiting = await payDaysAgo(9, false);
  await payDaysAgo(8, true);
  expect(await drop()).toEqual([tenth]);
  expect(await eventDays()).toEqual(expect.arrayContaining([ninth, eighth, seventh]));
  expect(await drop()).toEqual([]);
  await publish(waiting);
  expect(await Promise.all([drop(), drop(), drop()])).toContainEqual([ninth, eighth]);
  const days = await eventDays();
  expect([ninth, eighth, seventh].map((day) => days.includes(day))).toEqual([false, false, true]);
});

test("What an interrupted run has left is finished by the next", async () => {
  const [tenth, ninth] = [await addDay(10), await addDay(9)];
  await runSql(used.url, `alter table payment_event detach partition ${tenth}`);
  // Somebody who reads the log holds up the detaching, and the one who waits for it is ended.
  const reader = new Client({ connectionString: used.url });
  const detaching = new Client({ connectionString: used.url });
  await reader.connect();
  await detaching.connect();
  await reader.query("begin; select count(*) from payment_event");
  await detaching.query("set lock_timeout = 200");
  await expect(
    detaching.query(`alter table payment_event detach partition ${ninth} concurrently`),
  ).rejects.toThrow("lock timeout");
  await reader.query("commit");
  await Promise.all([reader.end(), detaching.end()]);
  expect(await drop()).toEqual(expect.arrayContaining([tenth, ninth]));
  expect(await eventDays()).not.toContain(ninth);
});

test("Payments go on while a reader holds up the dropping", async () => {
  await addDay(10);
  const reader = new Client({ connectionString: used.url });
  await reader.connect();
  await reader.query("begin; select count(*) from payment_event");
  const dropping = drop();
  await new Promise((done) => setTimeout(done, 300));
  await used.ledger.openFunded(100n);
  await reader.query("commit");
  await reader.end();
  expect(await dropping).toHaveLength(1);
});

test("What waits keeps the days after its own, or the ledger would seem to lack their events", async () => {
  await addDay(9);
  await addDay(8);
  await payDaysAgo(9, false);
  const later = await payDaysAgo(8, true);
  await runSql(
    used.url,
    `set session_replication_role = replica;
     update payment set update_time = update_time - interval '8 days' where id = '${later}'`,
  );
  expect(await drop()).toEqual([]);
  expect((await used.ledger.verify()).findings).toEqual([]);
});

test("The ledger is right without the events that were dropped, and wrong without later ones", async () => {
  await addDay(10);
  const id = await payDaysAgo(10, true);
  const day = "10 days";
  await runSql(
    used.url,
    `set session_replication_role = replica;
     update payment set update_time = update_time - interval '${day}' where id = '${id}'`,
  );
  await drop();
  expect((await used.ledger.verify()).findings).toEqual([]);
  // It changed again after its first event was dropped.
  await runSql(
    used.url,
    `update payment set sequence = 2, update_time = now(),
       create_time = create_time where id = '${id}'`,
  );
  expect((await used.ledger.verify()).findings).toMatchObject([
    { kind: "PAYMENT_EVENTS_WRONG", subjectId: id },
  ]);
  await runSql(
    used.url,
    `insert into payment_event (payment_id, sequence, create_time, event_id, shard, payload)
     values ($1, 2, now(), $2, 0, '')`,
    [id, randomUUID()],
  );
  // The payment itself is of today, so that its first event is missed.
  expect((await used.ledger.verify()).findings).toHaveLength(1);
});
