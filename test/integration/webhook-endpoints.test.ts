import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { cleanDeliveries } from "../../src/webhooks/clean-deliveries.ts";
import { createManageWebhooks } from "../../src/webhooks/manage-webhooks.ts";
import { callAs } from "../support/ledger.ts";
import { until } from "../support/relay.ts";
import { runSql } from "../support/sql.ts";
import { NO_CHANGE, useWebhooks } from "../support/use-webhooks.ts";

const used = useWebhooks();
const HOUR = 3_600;

describe("Endpoints", () => {
  test("are changed bit by bit, twenty of an owner at most, by their owner or an administrator", async () => {
    const { manage } = used.webhooks;
    const url = `${used.receiver.url}/`;
    const { id } = await used.webhooks.listen("alice", url, { eventTypes: ["SETTLED"] });
    const changed = { ...NO_CHANGE, eventTypes: [], description: "Shop" };
    expect(await manage.update(callAs("alice"), id, changed)).toMatchObject({
      url,
      eventTypes: [],
      description: "Shop",
      ordered: false,
      enabled: true,
    });
    await expect(manage.update(callAs("alice"), id, NO_CHANGE)).rejects.toMatchObject({
      reason: "INVALID_FIELD",
    });
    await expect(manage.update(callAs("bob"), id, changed)).rejects.toMatchObject({
      reason: "WEBHOOK_ENDPOINT_NOT_FOUND",
    });
    const ofCarol = { ownerId: "carol" };
    await expect(used.webhooks.listen("alice", url, ofCarol)).rejects.toMatchObject({
      reason: "MISSING_SCOPE",
    });
    for (let i = 0; i < 20; i++) await used.webhooks.listen("admin", url, ofCarol);
    await expect(used.webhooks.listen("admin", url, ofCarol)).rejects.toMatchObject({
      reason: "WEBHOOK_ENDPOINT_LIMIT",
    });
    const page = { ownerId: undefined, pageSize: 15, pageToken: "" };
    const first = await manage.list(callAs("carol"), page);
    const { nextPageToken: pageToken } = first;
    const second = await manage.list(callAs("carol"), { ...page, pageToken });
    const ids = [...first.endpoints, ...second.endpoints].map((endpoint) => endpoint.id);
    expect([new Set(ids).size, ids.includes(id), second.nextPageToken]).toEqual([20, false, ""]);
  });
});

test("Endpoints that are made at once are twenty of an owner all the same", async () => {
  const url = `${used.receiver.url}/`;
  const { orm, unitOfWork } = used.ledger;
  const elsewhere = createManageWebhooks({ orm, unitOfWork, allowPrivate: true });
  const wanted = { url, eventTypes: [], description: "", ordered: false, ownerId: undefined };
  for (let i = 0; i < 18; i++) await elsewhere.create(callAs("alice"), wanted);
  const made = await Promise.allSettled(
    Array.from({ length: 10 }, (_, i) =>
      (i % 2 === 0 ? elsewhere : used.webhooks.manage).create(callAs("alice"), wanted),
    ),
  );
  expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
  for (const one of made) {
    if (one.status === "rejected") expect(one.reason.reason).toBe("WEBHOOK_ENDPOINT_LIMIT");
  }
});

/** 20,000 that an endpoint took, and as many that wait for one that is disabled. */
const FILL = `
  insert into webhook_delivery (id, webhook_endpoint_id, event_id, payment_id, sequence, event_type,
    body, occur_time, status, deliver_time, next_attempt_time)
  select gen_random_uuid(), case when n % 2 = 0 then $1::uuid else $2 end, gen_random_uuid(), $1, 1,
    'SETTLED', '', now(), case when n % 2 = 0 then 'DELIVERED' else 'PENDING' end,
    case when n % 2 = 0 then now() end, case when n % 2 = 1 then now() end
  from generate_series(1, 40000) n`;

describe("Deliveries", () => {
  test("are removed after 30 days, and soon when their endpoint is gone", async () => {
    const { id } = await used.webhooks.listen("alice", `${used.receiver.url}/alice`);
    const gone = await used.webhooks.listen("bob", `${used.receiver.url}/bob`);
    await used.pay();
    await until(() => used.receiver.received.length === 2, "both are told");
    const left = async () =>
      (await runSql(used.url, "select webhook_endpoint_id from webhook_delivery")).flat();
    await used.webhooks.manage.remove(callAs("bob"), gone.id);
    await expect(used.webhooks.log(gone.id)).rejects.toMatchObject({
      reason: "WEBHOOK_ENDPOINT_NOT_FOUND",
    });
    expect(await cleanDeliveries(used.ledger.database)).toBe(1);
    expect(await left()).toEqual([id]);
    await used.pass(29 * 24 * HOUR);
    expect(await cleanDeliveries(used.ledger.database)).toBe(0);
    await used.pay();
    await until(() => used.receiver.received.length === 3, "Alice is told");
    await used.pass(2 * 24 * HOUR);
    expect(await cleanDeliveries(used.ledger.database)).toBe(1);
    expect(await left()).toHaveLength(1);
  });

  test("are written with the mark of their event or not at all", async () => {
    const { id } = await used.webhooks.listen("alice", `${used.receiver.url}/alice`);
    // Another relay has every shard, so nothing is marked by this one's epochs.
    await runSql(
      used.url,
      "update relay_lease set epoch = epoch + 1, relay_id = $1, expire_time = 'infinity'",
      [randomUUID()],
    );
    await used.pay();
    await used.pay();
    await sleep(500); // In which it looks several times.
    expect(await used.webhooks.log(id)).toEqual([]);
    await runSql(used.url, "update relay_lease set relay_id = null, expire_time = '-infinity'");
    await until(
      () => used.receiver.taken("/alice").length === 2,
      "both come once the shards are free",
    );
    const [[unmarked] = []] = await runSql(used.url, "select count(*)::int from unpublished_event");
    expect(unmarked).toBe(0);
  });

  test("are found by their indexes, however many wait or were sent", async () => {
    const { id } = await used.webhooks.listen("alice", `${used.receiver.url}/alice`);
    const disabled = await used.webhooks.listen("bob", `${used.receiver.url}/bob`);
    const disable = { ...NO_CHANGE, enabled: false };
    await used.webhooks.manage.update(callAs("bob"), disabled.id, disable);
    await runSql(used.url, FILL, [id, disabled.id]);
    await runSql(used.url, "analyze webhook_delivery");
    const scans = async () => {
      await sleep(1_100); // PostgreSQL tells once a second.
      const text = "select seq_scan from pg_stat_user_tables where relname = 'webhook_delivery'";
      return Number((await runSql(used.url, text))[0]![0]);
    };
    const before = await scans();
    await used.pay();
    await until(() => used.receiver.taken("/alice").length === 1, "Alice is told");
    expect(await scans()).toBe(before);
    await runSql(used.url, "delete from webhook_delivery where body = ''");
  });

  test("of nobody leave the events unpublished, for a Kafka that may come", async () => {
    await used.webhooks.listen("carol", `${used.receiver.url}/carol`);
    await used.pay();
    await used.restart();
    const [counts] = await runSql(
      used.url,
      "select (select count(*) from payment_event) - (select count(*) from unpublished_event)",
    );
    expect(counts).toEqual(["0"]);
  });
});
