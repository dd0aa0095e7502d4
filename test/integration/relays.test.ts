import { describe, expect, test } from "vitest";
import { createKeepingPublisher, until } from "../support/relay.ts";
import { runSql } from "../support/sql.ts";
import { expectFollowed, useRelays } from "../support/use-relays.ts";

const used = useRelays();

describe("Several relays", () => {
  test("of which one can't publish: the other one has all shards, until it can", async () => {
    const [failing, well] = [createKeepingPublisher(), createKeepingPublisher()];
    let isAway = true;
    const open = async () => {
      if (isAway) throw new Error("Kafka is away");
      return true;
    };
    const first = await used.start({ ...failing, open });
    await until(async () => /errors_total [3-9]/.test(await first.metrics()), "it has tried");
    await used.start(well);
    const paymentIds = await used.pay(200);
    await until(() => well.kept.length === 200, "all is published");
    expectFollowed(well, paymentIds);
    isAway = false;
    await until(async () => /leases 32/.test(await first.metrics()), "it has its part");
  });

  test("of which one is let in and then fails: its shards don't stay with it", async () => {
    const [failing, well] = [createKeepingPublisher(), createKeepingPublisher()];
    failing.before = () => {
      throw new Error("not authorized");
    };
    await used.start(failing);
    await used.start(well);
    const paymentIds = await used.pay(200);
    await until(async () => (await used.unpublishedRows()) === 0, "all is published");
    expectFollowed(well, paymentIds);
  });

  test("of which one has nobody to publish to: the other one has all shards", async () => {
    const idle = { ...createKeepingPublisher(), open: async () => false };
    await used.start(idle);
    const publisher = createKeepingPublisher();
    const relay = await used.start(publisher);
    const paymentIds = await used.pay(100);
    await until(async () => (await used.unpublishedRows()) === 0, "all is published");
    expectFollowed(publisher, paymentIds);
    expect(await relay.metrics()).toContain("instant_payment_relay_leases 64");
  });

  test("share the work, none of it twice", async () => {
    const publishers = [createKeepingPublisher(), createKeepingPublisher()];
    for (const publisher of publishers) await used.start(publisher);
    const shares = async () =>
      (
        await runSql(
          used.database.url,
          "select count(*)::int from relay_lease where relay_id is not null group by relay_id",
        )
      ).flat();
    await until(async () => String(await shares()) === "32,32", "each has its half");
    const paymentIds = await used.pay(500);
    await until(async () => (await used.unpublishedRows()) === 0, "all is published");
    const kept = publishers.flatMap((publisher) => publisher.kept);
    expect(kept).toHaveLength(500);
    expect(new Set(kept.map(({ paymentId }) => paymentId))).toEqual(new Set(paymentIds));
    for (const publisher of publishers) expect(publisher.kept.length).toBeGreaterThan(0);
  });
});
