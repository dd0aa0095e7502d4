import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { followByRule } from "../support/event-consumer.ts";
import { createKeepingPublisher, startTestRelay, toSeenEvent, until } from "../support/relay.ts";
import { useLedger } from "../support/use-ledger.ts";

const PAYMENTS = 3_600;

const used = useLedger();

test("a backlog is published in order, never two batches at once, whatever fails meanwhile", async () => {
  const { id: debtorAccountId } = await used.ledger.open({ overdraftMode: "UNBOUNDED" });
  const { id: creditorAccountId } = await used.ledger.open({ ownerId: "bob" });
  const payment = { debtorAccountId, creditorAccountId, amountMinor: 1n };
  await Promise.all(Array.from({ length: PAYMENTS }, () => used.ledger.pay(payment)));
  const publisher = createKeepingPublisher();
  let publishing = 0;
  let most = 0;
  publisher.before = async () => {
    most = Math.max(most, ++publishing);
    await sleep(5);
    publishing--;
    if (publisher.batches.length % 4 === 2) throw new Error("Kafka is away");
  };
  const relay = await startTestRelay(used.url, publisher);
  await until(() => publisher.kept.length >= PAYMENTS, "all is published");
  await relay.stop();
  expect(most).toBe(1);
  expect(Math.max(...publisher.batches)).toBe(1_024);
  expect(publisher.kept).toHaveLength(PAYMENTS);
  const { breaches, eventIds } = followByRule(publisher.kept.map(toSeenEvent));
  expect([breaches, eventIds.size]).toEqual([[], PAYMENTS]);
  for (const ofShard of Map.groupBy(publisher.kept, ({ shard }) => shard).values()) {
    const ids = ofShard.map(({ id }) => Number(id));
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
  }
});
