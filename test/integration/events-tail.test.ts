// `events tail` on the log in the database.
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { afterEach, expect, test, vi } from "vitest";
import { createEventLog } from "../../src/events/event-log.ts";
import { openDatabase, type Database } from "../../src/platform/database.ts";
import { entities } from "../../src/schema.ts";
import { changesBy } from "../support/changes-by.ts";
import { groupLives, run, type ServiceProcess } from "../support/service-process.ts";
import { useFreshLedger } from "../support/use-ledger.ts";

// Each starts several processes, and the machine may be busy.
vi.setConfig({ testTimeout: 60_000 });

const used = useFreshLedger();
let following: ServiceProcess | undefined;
const CLI = [process.execPath, "src/cli/instant-payment.ts"] as const;

// Whatever a failed test left.
afterEach(() => {
  if (following && groupLives(following.pid)) following.killHard();
});

/** Pays so many times, one after the other, and returns the payments' ids. */
async function pay(count: number): Promise<string[]> {
  const { id: debtorAccountId } = await used.ledger.open({ overdraftMode: "UNBOUNDED" });
  const { id: creditorAccountId } = await used.ledger.open();
  const ids: string[] = [];
  while (ids.length < count) {
    const sides = { debtorAccountId, creditorAccountId, amountMinor: 1n };
    ids.push((await used.ledger.pay(sides)).payment.id);
  }
  return ids;
}

function tail(): ServiceProcess {
  following = run([...CLI, "events", "tail"], { DATABASE_URL: used.url });
  return following;
}

const shownIn = (stdout: string) => [...stdout.matchAll(/payment (\S+) #/g)].map(([, id]) => id);

/** A copy of the event of a payment, as one of a later change. */
const LATE = `insert into payment_event (payment_id, sequence, create_time, event_id, shard, payload)
  select payment_id, sequence + 1, now(), gen_random_uuid(), shard, payload
  from payment_event where payment_id = $1`;

test("the last ten are shown, then each new one, and none of the older ones", async () => {
  const before = await pay(15);
  const tailing = tail();
  await tailing.printed(before.at(-1)!);
  const after = await pay(2);
  await tailing.printed(after[1]!);
  tailing.signal("SIGINT");
  const { code, stdout, stderr } = await tailing.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(shownIn(stdout)).toEqual([...before.slice(-10), ...after]);
});

test("captures and refunds are shown with what they've come to, in parts and at once", async () => {
  const { id: debtorAccountId } = await used.ledger.openFunded(10_000n);
  const { id: creditorAccountId } = await used.ledger.open();
  const sides = { debtorAccountId, creditorAccountId };
  const { payment } = await used.ledger.pay({
    ...sides,
    amountMinor: 2_000n,
    holdDurationMs: 60_000,
  });
  const admin = changesBy(used.ledger, "admin");
  await admin.capture(payment, 500n, false);
  await admin.capture(payment, 1_000n);
  await admin.refund(payment, 300n);
  await admin.refund(payment);
  const shown = await run([...CLI, "events", "tail", "--limit", "9"], { DATABASE_URL: used.url })
    .ended;
  const lines = shown.stdout.split("\n").filter((line) => line.includes(payment.id));
  expect(lines.map((line) => line.split(" ").slice(1, -6).join(" "))).toEqual([
    "HELD 2000 EUR (minor units)",
    "CAPTURED 500 of 2000 EUR (minor units)",
    "SETTLED 1500 of 2000 EUR (minor units)",
    "REFUNDED 300 of 1500 EUR (minor units)",
    "REFUNDED 1500 of 1500 EUR (minor units)",
  ]);
});

/** Counts the payloads that are read from the database. */
function countPayloads({ watchPool }: Database) {
  const counted = { payloads: 0 };
  const query = watchPool.query.bind(watchPool);
  watchPool.query = async function count(text: string, values: unknown[]) {
    const result = await query(text, values);
    counted.payloads += result.rows.filter((row) => "payload" in row).length;
    return result;
  } as typeof watchPool.query;
  return counted;
}

test("an event that commits after later ones is shown, and payloads are read of new ones alone", async () => {
  const [first = ""] = await pay(8);
  const late = new Client({ connectionString: used.url });
  await late.connect();
  await late.query("begin");
  await late.query(LATE, [first]);
  const pools = { poolSize: 1, commitPoolSize: 1 };
  const database = await openDatabase({ url: used.url, entities, ...pools });
  const counted = countPayloads(database);
  const log = createEventLog({ database, now: Date.now });
  expect(await log.latest(3)).toHaveLength(3);
  await pay(2);
  const later = await log.fresh();
  expect(later).toHaveLength(2);
  await late.query("commit");
  await late.end();
  const [shown, ...rest] = await log.fresh();
  expect(Number(shown?.id)).toBeLessThan(Number(later[0]?.id));
  expect([rest, await log.fresh()]).toEqual([[], []]);
  expect(counted.payloads).toBe(3 + 2 + 1);
  await database.close();
});

test("a look after an outage of minutes goes back to the last one before it", async () => {
  const [first = ""] = await pay(1);
  const pools = { poolSize: 1, commitPoolSize: 1 };
  const database = await openDatabase({ url: used.url, entities, ...pools });
  let nowMs = Date.now();
  const log = createEventLog({ database, now: () => nowMs });
  expect(await log.latest(10)).toHaveLength(1);
  const client = new Client({ connectionString: used.url });
  await client.connect();
  await client.query(LATE.replace("now()", "now() - interval '2 minutes'"), [first]);
  await client.end();
  expect(await log.fresh()).toEqual([]);
  nowMs += 90_000;
  expect(await log.fresh()).toHaveLength(1);
  await database.close();
});

test("a database that hangs can't keep it from ending", async () => {
  await pay(1);
  const tailing = tail();
  await tailing.printed("#1");
  const lock = new Client({ connectionString: used.url });
  await lock.connect();
  await lock.query("begin; lock table payment_event in access exclusive mode");
  await sleep(500);
  tailing.signal("SIGTERM");
  const startMs = performance.now();
  expect(await tailing.ended).toMatchObject({ code: 0, stderr: "" });
  expect(performance.now() - startMs).toBeLessThan(7_000);
  await lock.end();
});
