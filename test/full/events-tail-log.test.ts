// `events tail` on the log, while its PostgreSQL dies.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { openLedger, prepareDatabase, type TestLedger } from "../support/ledger.ts";
import { until } from "../support/relay.ts";
import { groupLives, type ServiceProcess, run } from "../support/service-process.ts";
import { startPostgres, type PostgresService } from "../support/services/postgres.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let postgres: PostgresService;
let ledger: TestLedger;
let accountIds: string[];
let following: ServiceProcess | undefined;

beforeAll(async () => {
  postgres = await startPostgres();
  await prepareDatabase(postgres.url);
  ledger = await openLedger(postgres.url);
  const accounts = [await ledger.open({ overdraftMode: "UNBOUNDED" }), await ledger.open()];
  accountIds = accounts.map(({ id }) => id);
});
afterAll(async () => {
  await ledger?.close();
  await postgres?.stop();
});

// Whatever a failed test left.
afterEach(() => {
  if (following && groupLives(following.pid)) following.killHard();
});

/** The id of a new payment, as soon as the ledger has its connections back. */
async function pay(): Promise<string> {
  const [debtorAccountId = "", creditorAccountId = ""] = accountIds;
  let paid: string | undefined;
  await until(async () => {
    const sides = { debtorAccountId, creditorAccountId, amountMinor: 1n };
    paid = await ledger.pay(sides).then(
      ({ payment }) => payment.id,
      () => undefined,
    );
    return paid !== undefined;
  }, "a payment is made");
  return paid!;
}

function tail(): ServiceProcess {
  const command = [process.execPath, "src/cli/instant-payment.ts", "events", "tail"] as const;
  following = run([...command], { DATABASE_URL: postgres.url });
  return following;
}

const AGAIN = /^instant-payment: the database can't be reached \(.+\): trying again\n/;

test("over the death of PostgreSQL it goes on, with a line and each event once", async () => {
  const before = await pay();
  const tailing = tail();
  await tailing.printed(before);
  await postgres.kill9();
  await sleep(3_000);
  await postgres.restart();
  const after = await pay();
  await tailing.printed(after);
  tailing.signal("SIGINT");
  const { code, stdout, stderr } = await tailing.ended;
  expect(code).toBe(0);
  expect(stdout.trim().split("\n")).toEqual(
    [before, after].map((id) => expect.stringContaining(id)),
  );
  expect(stderr).toMatch(AGAIN);
  expect(stderr.split("\n")).toHaveLength(2);
});

test("a PostgreSQL that stays away ends it with a line and an exit code", async () => {
  const last = await pay();
  const tailing = tail();
  await tailing.printed(last);
  await postgres.kill9();
  const { code, stderr } = await tailing.ended;
  expect(code).toBe(69);
  expect(stderr).toMatch(AGAIN);
  const [, second, ...rest] = stderr.split("\n");
  expect(second).toMatch(/^instant-payment: the database can't be reached: .+/);
  expect(rest).toEqual([""]);
});
