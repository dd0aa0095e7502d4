import { afterEach, beforeEach } from "vitest";
import type { Committed } from "../../src/ledger/group-commit.ts";
import { expectInvariants } from "./invariants.ts";
import { callAs, createMigratedDatabase, openLedger, type TestLedger } from "./ledger.ts";
import type { TestDatabase } from "./postgres.ts";
import { runSql } from "./sql.ts";
import { installTestClock, travelTo } from "./test-clock.ts";
import { startReceiver, type WebhookReceiver } from "./webhook-receiver.ts";
import { startWebhooks, type TestWebhooks } from "./webhooks.ts";

/** What each test of webhooks has, on a database of its own with a clock that can be moved. */
export interface UsedWebhooks {
  readonly url: string;
  readonly ledger: TestLedger;
  readonly webhooks: TestWebhooks;
  readonly receiver: WebhookReceiver;
  /** Alice, who has money, pays Bob. */
  readonly pay: (more?: {
    readonly amountMinor?: bigint;
    readonly holdDurationMs?: number;
    readonly idempotencyKey?: string;
  }) => Promise<Committed>;
  /** Moves PostgreSQL's clock on. */
  readonly pass: (seconds: number) => Promise<void>;
  /** Ends relay and notifier. */
  readonly stop: () => Promise<void>;
  /** Starts others in their place. */
  readonly restart: (options?: { readonly allowPrivate: boolean }) => Promise<void>;
}

/** A change of an endpoint that changes nothing. */
export const NO_CHANGE = {
  url: undefined,
  eventTypes: undefined,
  description: undefined,
  ordered: undefined,
  enabled: undefined,
};

/** Gives each test a ledger, a relay and a notifier on it, and a server to be told. */
export function useWebhooks(): UsedWebhooks {
  let database: TestDatabase;
  let ledger: TestLedger;
  let webhooks: TestWebhooks;
  let stop: () => Promise<void>;
  let receiver: WebhookReceiver;
  let sides: { readonly debtorAccountId: string; readonly creditorAccountId: string };

  async function start(options?: { readonly allowPrivate: boolean }): Promise<void> {
    webhooks = await startWebhooks(database.url, options);
    const { stop: stopOnce } = webhooks;
    let stopped: Promise<void> | undefined;
    stop = () => (stopped ??= stopOnce());
  }

  beforeEach(async () => {
    database = await createMigratedDatabase();
    await installTestClock(database.url);
    ledger = await openLedger(database.url);
    await start();
    receiver = await startReceiver();
    const debtor = await ledger.openFunded(1_000_000n, { ownerId: "alice" });
    const creditor = await ledger.open({ ownerId: "bob" });
    sides = { debtorAccountId: debtor.id, creditorAccountId: creditor.id };
  });

  afterEach(async () => {
    await receiver.close();
    await stop();
    await ledger.close();
    await expectInvariants(database.url);
    await database.drop();
  });

  return {
    get url() {
      return database.url;
    },
    get ledger() {
      return ledger;
    },
    get webhooks() {
      return webhooks;
    },
    get receiver() {
      return receiver;
    },
    pay: (more) =>
      ledger.pay({ ...sides, amountMinor: 10n, metadata: { a: "b" }, ...more }, callAs("alice")),
    async pass(seconds) {
      const text = "select clock_timestamp() + $1 * interval '1 s'";
      const [[now] = []] = await runSql(database.url, text, [seconds]);
      await travelTo({ url: database.url, ledger }, now as Date);
    },
    stop: () => stop(),
    async restart(options) {
      await stop();
      await start(options);
    },
  };
}
