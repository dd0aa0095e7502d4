// What a notifier takes from PostgreSQL's log when Kafka doesn't have it any more.
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { beforeEach, expect, test } from "vitest";
import { PaymentEventSchema } from "../../gen/instantpayment/v1/payment_pb.ts";
import { createLogger } from "../../src/platform/logger.ts";
import { createLoggedEvents } from "../../src/webhooks/logged-events.ts";
import { createManageWebhooks } from "../../src/webhooks/manage-webhooks.ts";
import { createPlanDeliveries, type WebhookEvent } from "../../src/webhooks/plan-deliveries.ts";
import { createTakeEvents } from "../../src/webhooks/take-events.ts";
import { readWebhookEvent } from "../../src/webhooks/webhook.event.ts";
import { changesBy } from "../support/changes-by.ts";
import { callAs } from "../support/ledger.ts";
import { keepLines, type LogLines } from "../support/log-lines.ts";
import { runSql } from "../support/sql.ts";
import { useFreshLedger } from "../support/use-ledger.ts";

const SHARDS = Array.from({ length: 64 }, (_, shard) => shard);
const YEAR_10000 = timestampFromMs(253_402_300_800_000);

const used = useFreshLedger();
const goesOn = new AbortController().signal;
let taken: WebhookEvent[];
let log: LogLines;

beforeEach(() => {
  taken = [];
  log = keepLines();
});

function open() {
  const { database } = used.ledger;
  const takeEvents = createTakeEvents({
    database,
    plan: createPlanDeliveries(database),
    written: () => undefined,
  });
  return createLoggedEvents({
    database,
    readEvent: readWebhookEvent,
    async takeEvents(events) {
      const deliveries = await takeEvents(events);
      taken.push(...events);
      return deliveries;
    },
    logger: createLogger("info", log.stream),
  });
}

async function listen(): Promise<void> {
  const { orm, unitOfWork } = used.ledger;
  const manage = createManageWebhooks({ orm, unitOfWork, allowPrivate: true });
  const wanted = { eventTypes: [], description: "", ordered: false, ownerId: undefined };
  await manage.create(callAs("bob"), { ...wanted, url: "http://127.0.0.1:1/" });
}

/** Makes so many payments to Bob, with two published events each. */
async function pay(payments: number): Promise<void> {
  const [from, to] = [
    await used.ledger.openFunded(10_000n),
    await used.ledger.open({ ownerId: "bob" }),
  ];
  const sides = { debtorAccountId: from.id, creditorAccountId: to.id, amountMinor: 1n };
  const bob = changesBy(used.ledger, "bob");
  const one = async () => {
    const { payment } = await used.ledger.pay({ ...sides, holdDurationMs: 3_600_000 });
    await bob.capture(payment);
  };
  await Promise.all(Array.from({ length: payments }, one));
  await runSql(used.url, "delete from unpublished_event");
}

const idsWhere = async (condition: string) => {
  const text = `select event_id from payment_event where ${condition}`;
  return (await runSql(used.url, text)).flat().map(String).toSorted();
};
const takenIds = () => taken.map(({ eventId }) => eventId).toSorted();
const deliveries = async () =>
  (await runSql(used.url, "select count(*)::int from webhook_delivery"))[0]![0];

test("all published events are taken, those of a payment in order, however many pages they fill", async () => {
  await listen();
  await pay(400);
  const logged = open();
  expect(await logged.areMissed()).toBe(true);
  expect(await logged.take(SHARDS, goesOn)).toEqual({ events: 801, deliveries: 800 });
  expect(takenIds()).toEqual(await idsWhere("true"));
  const last = new Map<string, number>();
  for (const { paymentId, sequence } of taken) {
    expect(sequence).toBe((last.get(paymentId) ?? 0) + 1);
    last.set(paymentId, sequence);
  }
  expect(await logged.take(SHARDS, goesOn)).toEqual({ events: 801, deliveries: 0 });
  expect(await deliveries()).toBe(800);
});

test("what isn't asked for, isn't published or is too old is left", async () => {
  await listen();
  await pay(20);
  await runSql(
    used.url,
    `insert into unpublished_event (shard, id, payment_id, sequence, create_time)
       select shard, id, payment_id, sequence, create_time from payment_event
       where sequence = 2 and shard % 4 = 1;
     create table long_ago partition of payment_event for values from ('2020-01-01') to ('2020-02-01');
     update payment_event set create_time = '2020-01-15' where sequence = 2 and shard % 4 = 3`,
  );
  const odd = SHARDS.filter((shard) => shard % 2 === 1);
  await open().take(odd, goesOn);
  expect(takenIds()).toEqual(await idsWhere("shard % 2 = 1 and sequence = 1"));
  expect(taken.length).toBeGreaterThan(0);
});

test("an event that can't be told is logged and holds up nobody", async () => {
  await listen();
  await pay(3);
  const [junk, late] = await idsWhere("sequence = 2");
  const payload = (
    await runSql(used.url, "select payload from payment_event where event_id = $1", [late])
  )[0]![0] as Buffer;
  const event = fromBinary(PaymentEventSchema, payload);
  const year10000 = Buffer.from(toBinary(PaymentEventSchema, { ...event, occurTime: YEAR_10000 }));
  const change = "update payment_event set payload = $2 where event_id = $1";
  await runSql(used.url, change, [late, year10000]);
  await runSql(used.url, change, [junk, Buffer.from("junk")]);
  expect(await open().take(SHARDS, goesOn)).toEqual({ events: 7, deliveries: 4 });
  const errors = log.lines.map(({ level, msg, eventId }) => ({ level, msg, eventId }));
  const untellable = { level: "error", msg: "an event of the log can't be told" };
  expect(errors).toHaveLength(2);
  expect(errors).toContainEqual({ ...untellable, eventId: late });
  expect(errors).toContainEqual({ ...untellable, eventId: undefined });
});

test("a stop ends it, and without endpoints nobody misses anything", async () => {
  await pay(1);
  const logged = open();
  expect(await logged.areMissed()).toBe(false);
  await expect(logged.take(SHARDS, AbortSignal.abort(new Error("it's over")))).rejects.toThrow(
    "over",
  );
  expect(taken).toEqual([]);
});
