import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createDeliveryQueue } from "../../src/webhooks/delivery-queue.ts";
import { changesBy } from "../support/changes-by.ts";
import { callAs } from "../support/ledger.ts";
import { until } from "../support/relay.ts";
import { runSql } from "../support/sql.ts";
import { NO_CHANGE, useWebhooks } from "../support/use-webhooks.ts";
import { verified } from "../support/webhook-receiver.ts";

const used = useWebhooks();
const HOUR = 3_600;

describe("An endpoint", () => {
  test("gets each event as its owner may see it, signed, at once", async () => {
    const ofAlice = await used.webhooks.listen("alice", `${used.receiver.url}/alice`);
    const ofBob = await used.webhooks.listen("bob", `${used.receiver.url}/bob`);
    const { payment } = await used.pay({ idempotencyKey: "secret-of-alice" });
    await until(() => used.receiver.received.length === 2, "both are told");
    const [toAlice] = used.receiver.taken("/alice");
    const [toBob] = used.receiver.taken("/bob");
    const seenByAlice = await verified(toAlice!, ofAlice.secret);
    const seenByBob = await verified(toBob!, ofBob.secret);
    expect(seenByAlice).toMatchObject({
      type: "SETTLED",
      sequence: 1,
      debtorEntrySequence: 2,
      creditorEntrySequence: 0,
      payment: {
        id: payment.id,
        idempotencyKey: "secret-of-alice",
        metadata: { a: "b" },
        debtorBalanceAfter: "9999.90",
        creditorBalanceAfter: undefined,
      },
    });
    expect(seenByBob).toMatchObject({
      eventId: seenByAlice.eventId,
      debtorEntrySequence: 0,
      creditorEntrySequence: 1,
      payment: {
        id: payment.id,
        idempotencyKey: "",
        metadata: {},
        debtorBalanceAfter: undefined,
        creditorBalanceAfter: "0.10",
      },
    });
    expect(toAlice!.id).not.toBe(toBob!.id);
    await expect(verified(toAlice!, ofBob.secret)).rejects.toThrow("signature");
    const taken = async () => (await used.webhooks.log(ofAlice.id))[0]!.status === "DELIVERED";
    await until(taken, "it's noted");
    expect(await used.webhooks.log(ofAlice.id)).toMatchObject([
      {
        id: toAlice!.id,
        eventId: seenByAlice.eventId,
        attempt: 1,
        statusCode: 200,
        error: null,
        nextAttemptTime: null,
      },
    ]);
    expect(await used.webhooks.metrics()).toMatch(
      /instant_payment_webhook_seconds_count\{outcome="delivered"\} 2/,
    );
  });

  test("gets the types that it asked for, what its owner may see, and nothing from before", async () => {
    await used.pay();
    await used.webhooks.listen("alice", `${used.receiver.url}/alice`, {
      eventTypes: ["CAPTURED", "REJECTED"],
    });
    await used.webhooks.listen("bob", `${used.receiver.url}/bob`);
    await used.webhooks.listen("carol", `${used.receiver.url}/carol`);
    const held = await used.pay({ holdDurationMs: 60_000 });
    await used.pay({ amountMinor: 10_000_000n });
    await changesBy(used.ledger, "alice").capture(held.payment, 4n, false);
    await changesBy(used.ledger, "bob").cancel(held.payment);
    await until(() => used.receiver.received.length === 5, "all are sent");
    const typesTo = (path: string) =>
      used.receiver
        .taken(path)
        .map(({ body }): string => JSON.parse(body).type.replace("PAYMENT_EVENT_TYPE_", ""));
    expect(typesTo("/alice").toSorted()).toEqual(["CAPTURED", "REJECTED"]);
    expect(typesTo("/bob").toSorted()).toEqual(["CAPTURED", "HELD", "SETTLED"]);
    expect(typesTo("/carol")).toEqual([]);
  });

  test("has two signatures while its secret changes over, and then one", async () => {
    const { id, secret } = await used.webhooks.listen("alice", `${used.receiver.url}/alice`);
    const rotated = await used.webhooks.manage.rotate(callAs("alice"), id, HOUR * 1_000);
    await used.pay();
    await until(() => used.receiver.received.length === 1, "it's sent");
    expect(rotated.secret).not.toBe(secret);
    for (const one of [secret, rotated.secret]) await verified(used.receiver.received[0]!, one);
    await used.pass(HOUR);
    await used.pay();
    await until(() => used.receiver.received.length === 2, "it's sent");
    await verified(used.receiver.received[1]!, rotated.secret);
    await expect(verified(used.receiver.received[1]!, secret)).rejects.toThrow("signature");
  });

  test("that fails a third of the calls gets all, in order where it asks for it", async () => {
    const PAYMENTS = 150;
    const tries = new Map<string, number>();
    used.receiver.answer = ({ id }) => {
      tries.set(id, (tries.get(id) ?? 0) + 1);
      return tries.get(id) === 1 && Number.parseInt(id.slice(-2), 16) % 3 === 0 ? 500 : 200;
    };
    await used.webhooks.listen("alice", `${used.receiver.url}/any`);
    await used.webhooks.listen("bob", `${used.receiver.url}/ordered`, { ordered: true });
    const by = changesBy(used.ledger, "bob");
    await Promise.all(
      Array.from({ length: PAYMENTS }, async () => {
        const { payment } = await used.pay({ holdDurationMs: 3_600_000 });
        await by.capture(payment, 1n, false);
        await by.cancel(payment);
      }),
    );
    const isDone = () =>
      ["/any", "/ordered"].every((path) => used.receiver.taken(path).length === 3 * PAYMENTS);
    for (let before = -1; !isDone(); before = used.receiver.received.length) {
      // What is left waits for its time: nobody waits for that here.
      if (used.receiver.received.length === before) await used.pass(3);
      await sleep(100);
    }
    const last = new Map<string, number>();
    for (const { body } of used.receiver.taken("/ordered")) {
      const { sequence, payment } = JSON.parse(body);
      expect(sequence).toBe((last.get(payment.id) ?? 0) + 1);
      last.set(payment.id, sequence);
    }
    expect(used.receiver.received.length).toBeGreaterThan(7 * PAYMENTS);
  });

  test("that is slow, or silent, holds up nobody else", async () => {
    await used.webhooks.listen("alice", `${used.receiver.url}/silent`);
    await used.webhooks.listen("bob", `${used.receiver.url}/bob`);
    used.receiver.answer = ({ path }) => (path === "/silent" ? "never" : 200);
    await Promise.all(Array.from({ length: 100 }, () => used.pay()));
    await until(() => used.receiver.taken("/bob").length === 100, "Bob is told", 9_000);
    expect(used.receiver.received.filter(({ path }) => path === "/silent")).toHaveLength(16);
  });
});

describe("An owner", () => {
  test("with many slow endpoints holds up no other owner, nor one of them the others", async () => {
    const paths = Array.from({ length: 20 }, (_, i) => `/slow/${i}`);
    for (const path of paths) await used.webhooks.listen("alice", `${used.receiver.url}${path}`);
    used.receiver.answer = ({ path }) => (path === "/bob" ? 200 : "never");
    await Promise.all(Array.from({ length: 20 }, () => used.pay()));
    await until(() => used.receiver.received.length >= 64, "Alice's endpoints are told");
    await used.webhooks.listen("bob", `${used.receiver.url}/bob`);
    await Promise.all(Array.from({ length: 20 }, () => used.pay()));
    // Before the time of the first slow request is up.
    await until(() => used.receiver.taken("/bob").length === 20, "Bob is told", 5_000);
    const slow = used.receiver.received.filter(({ path }) => path !== "/bob");
    expect(slow).toHaveLength(64);
    expect(new Set(slow.map(({ path }) => path))).toEqual(new Set(paths));
  });

  test("is told first where the fewest requests are under way", async () => {
    const { listen, log, manage } = used.webhooks;
    const [busy, idle] = [
      await listen("alice", `${used.receiver.url}/busy`),
      await listen("alice", `${used.receiver.url}/idle`),
    ];
    for (const { id } of [busy, idle]) {
      await manage.update(callAs("alice"), id, { ...NO_CHANGE, enabled: false });
    }
    for (let i = 0; i < 4; i++) await used.pay();
    for (const { id } of [busy, idle]) {
      await until(async () => (await log(id)).length === 4, "all are written");
    }
    await used.stop();
    await runSql(used.url, "update webhook_endpoint set enabled = true, disabled_reason = null");
    const queue = createDeliveryQueue(used.ledger.database);
    const claimed = await queue.claim(4, new Map([[busy.id, 10]]));
    expect(claimed.map(({ endpointId }) => endpointId)).toEqual(Array(4).fill(idle.id));
  });
});

describe("Without a setting that allows it", () => {
  test("nothing is sent to a private address, whatever name it's behind", async () => {
    await used.restart({ allowPrivate: false });
    const { url } = used.receiver;
    for (const refused of [
      url,
      "https://127.0.0.1/",
      "https://[::ffff:10.0.0.1]/",
      "https://169.254.169.254/",
    ]) {
      await expect(used.webhooks.listen("alice", refused)).rejects.toMatchObject({
        violations: [{ field: "url" }],
      });
    }
    const port = new URL(url).port;
    const { id } = await used.webhooks.listen("alice", `https://localhost:${port}/`);
    await used.pay();
    await until(async () => Boolean((await used.webhooks.log(id))[0]?.error), "it's tried");
    expect(await used.webhooks.log(id)).toMatchObject([
      { status: "PENDING", statusCode: null, error: "its address is a private one" },
    ]);
    expect(used.receiver.received).toEqual([]);
  });
});
