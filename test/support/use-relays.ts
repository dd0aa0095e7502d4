import { afterEach, beforeEach, expect } from "vitest";
import { followByRule } from "./event-consumer.ts";
import { expectInvariants } from "./invariants.ts";
import { createMigratedDatabase, openLedger, type TestLedger } from "./ledger.ts";
import type { TestDatabase } from "./postgres.ts";
import { startTestRelay, toSeenEvent, type KeepingPublisher, type TestRelay } from "./relay.ts";
import { runSql } from "./sql.ts";

/** Relays on a database of their own, and what they publish. */
export interface UsedRelays {
  readonly database: TestDatabase;
  readonly ledger: TestLedger;
  /** Starts a relay, which ends with the test. */
  start(publisher: KeepingPublisher): Promise<TestRelay>;
  /** Makes as many payments; their ids. */
  pay(payments: number): Promise<string[]>;
  unpublishedRows(): Promise<number>;
}

/** New for each test; afterwards the invariants hold. What is returned has its parts once a test runs. */
export function useRelays(): UsedRelays {
  const relays: TestRelay[] = [];
  let debtorAccountId: string;
  let creditorAccountId: string;
  let database: TestDatabase;
  let ledger: TestLedger;

  beforeEach(async () => {
    database = await createMigratedDatabase();
    ledger = await openLedger(database.url);
    debtorAccountId = (await ledger.open({ overdraftMode: "UNBOUNDED" })).id;
    creditorAccountId = (await ledger.open({ ownerId: "bob" })).id;
  });

  afterEach(async () => {
    await Promise.all(relays.splice(0).map((relay) => relay.stop()));
    await ledger.close();
    await expectInvariants(database.url);
    await database.drop();
  });

  return {
    get database() {
      return database;
    },
    get ledger() {
      return ledger;
    },
    async start(publisher) {
      const relay = await startTestRelay(database.url, publisher);
      const stop = async () => {
        const at = relays.indexOf(started);
        if (at >= 0) relays.splice(at, 1);
        await relay.stop();
      };
      const started = { ...relay, stop };
      relays.push(started);
      return started;
    },
    async pay(payments) {
      const paid = await Promise.all(
        Array.from({ length: payments }, () =>
          ledger.pay({ debtorAccountId, creditorAccountId, amountMinor: 1n }),
        ),
      );
      return paid.map(({ payment }) => payment.id);
    },
    async unpublishedRows() {
      const text = "select count(*)::int from unpublished_event";
      return (await runSql(database.url, text))[0]![0] as number;
    },
  };
}

/** Fails unless a consumer by the rule gets the events of these payments, and of no others. */
export function expectFollowed(publisher: KeepingPublisher, paymentIds: readonly string[]): void {
  const { breaches, eventIds } = followByRule(publisher.kept.map(toSeenEvent));
  expect(breaches).toEqual([]);
  expect([...eventIds.keys()].toSorted()).toEqual(paymentIds.toSorted());
}
