import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import {
  CLAIM_MS,
  createDeliveryQueue,
  type ClaimedDelivery,
} from "../../src/webhooks/delivery-queue.ts";
import {
  createManageWebhooks,
  type WebhookEndpointChange,
} from "../../src/webhooks/manage-webhooks.ts";
import { callAs } from "../support/ledger.ts";
import { until } from "../support/relay.ts";
import { runSql } from "../support/sql.ts";
import { NO_CHANGE, useWebhooks } from "../support/use-webhooks.ts";

const used = useWebhooks();
const HOUR = 3_600;

describe("A delivery that fails", () => {
  const FAILURE = { status: "PENDING", statusCode: 500, error: "it answered 500" };

  test("is tried again, further and further apart, for three days while others come through", async () => {
    const { id } = await used.webhooks.listen("alice", `${used.receiver.url}/alice`);
    let culprit = "";
    used.receiver.answer = (request) => {
      culprit ||= request.id;
      return request.id === culprit ? 500 : 200;
    };
    await used.pay();
    const row = async () => (await used.webhooks.log(id)).find((one) => one.id === culprit)!;
    const waits: number[] = [];
    const begin = await (async () => {
      await until(async () => culprit !== "" && (await row()).statusCode === 500, "it failed");
      return (await row()).firstAttemptTime!.getTime();
    })();
    for (let attempt = 1; ; attempt++) {
      await until(async () => (await row()).failures === attempt, `it failed ${attempt} times`);
      const { status, nextAttemptTime, lastAttemptTime } = await row();
      if (status === "FAILED") break;
      expect(await row()).toMatchObject({ ...FAILURE, attempt });
      waits.push((nextAttemptTime!.getTime() - lastAttemptTime!.getTime()) / 1_000);
      // Something else comes through, so it's no fault of the endpoint.
      if (attempt % 4 === 0) {
        const before = used.receiver.taken("/alice").length;
        await used.pay();
        await until(() => used.receiver.taken("/alice").length > before, "another is taken");
      }
      await used.pass(waits.at(-1)! + 1);
    }
    for (const [i, wait] of waits.entries()) {
      const longest = Math.min(5 * 2 ** i, 4 * HOUR);
      expect(wait).toBeGreaterThan(longest / 2 - 0.1);
      expect(wait).toBeLessThan(longest + 3);
    }
    const { lastAttemptTime } = await row();
    const hours = (lastAttemptTime!.getTime() - begin) / 1_000 / HOUR;
    expect(hours).toBeGreaterThanOrEqual(72);
    expect(hours).toBeLessThan(72 + 4.1);
    expect((await used.webhooks.manage.get(callAs("alice"), id)).enabled).toBe(true);
    used.receiver.answer = () => 200;
    await used.webhooks.deliveries.redeliver(callAs("alice"), culprit);
    await until(async () => (await row()).status === "DELIVERED", "it's delivered after all");
    expect(used.receiver.received.at(-1)!.id).toBe(culprit);
  });

  test("of a dead endpoint waits until it's enabled again, and nothing is lost", async () => {
    const { id } = await used.webhooks.listen("alice", `${used.receiver.url}/alice`, {
      ordered: true,
    });
    used.receiver.answer = () => 503;
    const isDisabled = async () => !(await used.webhooks.manage.get(callAs("alice"), id)).enabled;
    const first = await used.pay();
    await until(() => used.receiver.received.length > 0, "it's tried");
    for (let hour = 0; hour < 90 && !(await isDisabled()); hour += 5) {
      if (hour % 20 === 0) await used.pay();
      const before = used.receiver.received.length;
      await used.pass(5 * HOUR);
      await until(async () => used.receiver.received.length > before || isDisabled(), "it's tried");
    }
    await until(isDisabled, "it's disabled");
    const endpoint = await used.webhooks.manage.get(callAs("alice"), id);
    expect(endpoint).toMatchObject({ disabledReason: "failing" });
    expect(used.webhooks.lines).toContainEqual(
      expect.objectContaining({
        msg: "a webhook endpoint is disabled",
        webhookEndpointId: id,
        reason: "failing",
      }),
    );
    await expect(
      used.webhooks.deliveries.redeliver(callAs("alice"), (await used.webhooks.log(id))[0]!.id),
    ).rejects.toMatchObject({ reason: "WEBHOOK_ENDPOINT_DISABLED" });
    const calls = used.receiver.received.length;
    used.receiver.answer = () => 200;
    await used.pay();
    await used.pass(HOUR);
    expect(used.receiver.received).toHaveLength(calls);
    await used.webhooks.manage.update(callAs("alice"), id, { ...NO_CHANGE, enabled: true });
    const rows = await runSql(
      used.url,
      "select count(*)::int from payment_event where payment_id <> $1",
      [first.payment.id],
    );
    const events = Number(rows[0]![0]);
    await until(() => used.receiver.taken("/alice").length >= events, "all is caught up");
    expect((await used.webhooks.log(id)).every(({ status }) => status === "DELIVERED")).toBe(true);
    expect((await used.webhooks.manage.get(callAs("alice"), id)).failingSince).toBe(null);
  });

  test("with 410 disables its endpoint at once, and others wait", async () => {
    const { id } = await used.webhooks.listen("alice", `${used.receiver.url}/alice`);
    used.receiver.answer = () => 410;
    await used.pay();
    const endpoint = () => used.webhooks.manage.get(callAs("alice"), id);
    await until(async () => !(await endpoint()).enabled, "it's disabled");
    expect((await endpoint()).disabledReason).toBe("gone");
    used.receiver.answer = () => 200;
    await used.pay();
    await used.webhooks.manage.update(callAs("alice"), id, { ...NO_CHANGE, enabled: true });
    await until(() => used.receiver.taken("/alice").length === 2, "both are taken");
  });

  test("with 410 disables its endpoint beside others that come through, unless it has changed since", async () => {
    const { id } = await used.webhooks.listen("alice", `${used.receiver.url}/alice`);
    await used.webhooks.manage.update(callAs("alice"), id, { ...NO_CHANGE, enabled: false });
    for (let i = 0; i < 2; i++) await used.pay();
    await until(async () => (await used.webhooks.log(id)).length === 2, "both are written");
    await used.stop();
    const { orm, unitOfWork, database } = used.ledger;
    const manage = createManageWebhooks({ orm, unitOfWork, allowPrivate: true });
    const queue = createDeliveryQueue(database);
    const change = (some: Partial<WebhookEndpointChange>) =>
      manage.update(callAs("alice"), id, { ...NO_CHANGE, ...some });
    const write = (claimed: ClaimedDelivery, outcome: "delivered" | "gone") => {
      const answer = { statusCode: outcome === "gone" ? 410 : 200, error: undefined };
      return { ...claimed, ...answer, outcome, waitMs: 0, pauseMs: 0 };
    };
    await change({ enabled: true });
    const [first, second] = await queue.claim(10, new Map());
    const disabled = { id, ownerId: "alice", reason: "gone" };
    const told = [write(first!, "gone"), write(second!, "delivered")];
    expect(await queue.write(told)).toEqual([disabled]);
    // What an attempt from before says is of an endpoint that was.
    for (const changed of [{ url: `${used.receiver.url}/moved` }, { enabled: true }]) {
      await change({ enabled: true });
      const [before] = await queue.claim(10, new Map());
      await sleep(2); // Times of changes are in milliseconds.
      await change(changed);
      expect(await queue.write([write(before!, "gone")])).toEqual([]);
      expect((await manage.get(callAs("alice"), id)).enabled).toBe(true);
    }
    await used.pass(1);
    const [last] = await queue.claim(10, new Map());
    expect(await queue.write([write(last!, "gone")])).toEqual([disabled]);
  });

  test("with 429 and Retry-After leaves its endpoint alone for so long", async () => {
    await used.webhooks.listen("alice", `${used.receiver.url}/alice`);
    used.receiver.answer = () => ({ status: 429, headers: { "retry-after": "3600" } });
    await used.pay();
    await until(() => used.receiver.received.length === 1, "it's tried");
    const paused = "select count(*)::int from webhook_endpoint where pause_time is not null";
    await until(async () => (await runSql(used.url, paused))[0]![0] === 1, "it's noted");
    used.receiver.answer = () => 200;
    await used.pay();
    await used.pass(HOUR - 30);
    expect(used.receiver.received).toHaveLength(1);
    await used.pass(40);
    await until(() => used.receiver.taken("/alice").length === 2, "both are taken");
  });

  test("with a redirect isn't followed anywhere", async () => {
    const { id } = await used.webhooks.listen("alice", `${used.receiver.url}/alice`);
    used.receiver.answer = () => ({
      status: 307,
      headers: { location: `${used.receiver.url}/elsewhere` },
    });
    await used.pay();
    await until(async () => (await used.webhooks.log(id))[0]?.statusCode === 307, "it's noted");
    expect((await used.webhooks.log(id))[0]!.error).toMatch("redirects");
    expect(used.receiver.received.map(({ path }) => path)).toEqual(["/alice"]);
  });

  test("because its notifier was killed is sent by another, and what the dead one says is void", async () => {
    const { id } = await used.webhooks.listen("alice", `${used.receiver.url}/alice`);
    await used.webhooks.manage.update(callAs("alice"), id, { ...NO_CHANGE, enabled: false });
    await used.pay();
    await until(async () => (await used.webhooks.log(id)).length === 1, "it's written");
    await used.stop();
    const enabling = "update webhook_endpoint set enabled = true, disabled_reason = null";
    await runSql(used.url, enabling);
    const killed = createDeliveryQueue(used.ledger.database);
    const [claimed] = await killed.claim(10, new Map());
    expect(await killed.claim(10, new Map())).toEqual([]);
    await used.restart();
    await sleep(300);
    expect(used.receiver.received).toEqual([]);
    await used.pass(CLAIM_MS / 1_000);
    const isDelivered = async () => (await used.webhooks.log(id))[0]!.status === "DELIVERED";
    await until(isDelivered, "another has sent it");
    const failure = { statusCode: 500, error: "late", waitMs: 1, pauseMs: 0 };
    await killed.write([{ ...claimed!, ...failure, outcome: "failed" }]);
    expect((await used.webhooks.log(id))[0]).toMatchObject({ status: "DELIVERED", attempt: 2 });
    expect(used.receiver.taken("/alice")).toHaveLength(1);
  });
});
