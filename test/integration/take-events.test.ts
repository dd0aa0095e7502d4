// Which errors are an event's own fault, so that a partition goes on without it, and which pass.
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { beforeAll, describe, expect, test } from "vitest";
import { PaymentEventSchema, type PaymentEvent } from "../../gen/instantpayment/v1/payment_pb.ts";
import { openDatabase } from "../../src/platform/database.ts";
import { entities } from "../../src/schema.ts";
import { createManageWebhooks } from "../../src/webhooks/manage-webhooks.ts";
import { BadEventError, createPlanDeliveries } from "../../src/webhooks/plan-deliveries.ts";
import { createTakeEvents } from "../../src/webhooks/take-events.ts";
import { readWebhookEvent } from "../../src/webhooks/webhook.event.ts";
import { openCuttingProxy } from "../support/cutting-proxy.ts";
import { callAs } from "../support/ledger.ts";
import { runSql } from "../support/sql.ts";
import { useLedger } from "../support/use-ledger.ts";

const YEAR_10000 = timestampFromMs(253_402_300_800_000);

const used = useLedger();
let committed: Uint8Array;

beforeAll(async () => {
  const { orm, unitOfWork } = used.ledger;
  const [from, to] = [
    await used.ledger.openFunded(10n),
    await used.ledger.open({ ownerId: "bob" }),
  ];
  const manage = createManageWebhooks({ orm, unitOfWork, allowPrivate: true });
  const wanted = { eventTypes: [], description: "", ordered: false, ownerId: undefined };
  await manage.create(callAs("bob"), { ...wanted, url: "http://127.0.0.1:1/" });
  const sides = { debtorAccountId: from.id, creditorAccountId: to.id };
  const { payment } = await used.ledger.pay({ ...sides, amountMinor: 1n });
  const text = "select payload from payment_event where payment_id = $1";
  committed = (await runSql(used.url, text, [payment.id]))[0]![0] as Buffer;
});

function takeOn(database: Parameters<typeof createTakeEvents>[0]["database"]) {
  const plan = createPlanDeliveries(database);
  const takeEvents = createTakeEvents({ database, plan, written: () => undefined });
  return (change: Partial<PaymentEvent> = {}) => {
    const event = { ...fromBinary(PaymentEventSchema, committed), ...change };
    return takeEvents([readWebhookEvent(toBinary(PaymentEventSchema, event))]);
  };
}

const written = async () =>
  (await runSql(used.url, "select count(*)::int from webhook_delivery"))[0]![0];

describe("An event is at fault", () => {
  test.each<[string, Partial<PaymentEvent>]>([
    ["whose time JSON can't tell", { occurTime: YEAR_10000 }],
    ["whose id is none", { eventId: "x" }],
    ["whose type nobody knows", { type: 99 as never }],
  ])("%s", async (_, change) => {
    const before = await written();
    await expect(takeOn(used.ledger.database)(change)).rejects.toBeInstanceOf(BadEventError);
    expect(await written()).toBe(before);
  });
});

describe("No event is at fault", () => {
  const options = { entities, poolSize: 1, commitPoolSize: 1, lockTimeoutMs: 50 };

  test("while PostgreSQL is away, and once the notifier has ended", async () => {
    const proxy = await openCuttingProxy(used.url);
    const database = await openDatabase({ ...options, url: proxy.url });
    const take = takeOn(database);
    await take();
    proxy.goAway(true);
    await expectPassing(take());
    proxy.goAway(false);
    await take();
    await database.close();
    await expectPassing(take());
    await proxy.close();
  });

  test("for a table that isn't there, is locked for long, or may only be read", async () => {
    const readOnly = new URL(used.url);
    readOnly.searchParams.set("options", "-c default_transaction_read_only=on");
    const [database, standby] = await Promise.all(
      [used.url, readOnly.href].map((url) => openDatabase({ ...options, url })),
    );
    await runSql(used.url, "alter table webhook_delivery rename to away");
    await expectPassing(takeOn(database!)());
    await runSql(used.url, "alter table away rename to webhook_delivery");
    await used.ledger.unitOfWork.transaction(async (em) => {
      await em.execute("lock table webhook_delivery");
      await expectPassing(takeOn(database!)());
    });
    await expectPassing(takeOn(standby!)());
    await takeOn(database!)();
    await Promise.all([database!.close(), standby!.close()]);
  });
});

async function expectPassing(taking: Promise<unknown>): Promise<void> {
  const error: unknown = await taking.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Error);
  expect(error).not.toBeInstanceOf(BadEventError);
}
