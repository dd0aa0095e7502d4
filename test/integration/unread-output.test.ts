// `instant-payment … | head -1`: nobody reads what a command prints any more.
import { afterAll, beforeAll, expect, test } from "vitest";
import { createMigratedDatabase, openLedger } from "../support/ledger.ts";
import type { TestDatabase } from "../support/postgres.ts";
import { run } from "../support/service-process.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await createMigratedDatabase();
  const ledger = await openLedger(database.url);
  const [from, to] = [await ledger.open({ overdraftMode: "UNBOUNDED" }), await ledger.open()];
  const payment = { debtorAccountId: from.id, creditorAccountId: to.id, amountMinor: 1n };
  for (let i = 0; i < 3; i++) await ledger.pay(payment);
  await ledger.close();
});
afterAll(() => database.drop());

test.each([
  "--help",
  "verify",
  "migrate",
  "keys create --owner alice --scopes accounts:read",
  "keys list",
  "events tail --limit 3",
  "events tail",
  "serve",
])("%s ends quietly when its reader has gone away", async (command) => {
  const line = `"$0" src/cli/instant-payment.ts ${command} | true; exit "\${PIPESTATUS[0]}"`;
  const ended = await run(["bash", "-c", line, process.execPath], {
    DATABASE_URL: database.url,
    PORT: "0",
    ADMIN_PORT: "0",
    ADMIN_API_KEY: "k".repeat(40),
    LOG_LEVEL: "silent",
  }).ended;
  expect(ended).toEqual({ code: 0, stdout: "", stderr: "" });
});
