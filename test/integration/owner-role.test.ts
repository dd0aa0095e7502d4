// What the service needs to be in PostgreSQL: the owner of its database, as docker-compose.yml's
// first start makes it, and no more.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { openDatabase } from "../../src/platform/database.ts";
import { dropPublishedEvents } from "../../src/scheduler/event-partitions.ts";
import { ensurePartitions } from "../../src/scheduler/partitions.ts";
import { entities } from "../../src/schema.ts";
import { openLedger, prepareDatabase } from "../support/ledger.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { runSql } from "../support/sql.ts";

const role = `owner_${randomBytes(8).toString("hex")}`;
let empty: TestDatabase;
let url: string;

beforeAll(async () => {
  empty = await createTestDatabase();
  const password = randomBytes(8).toString("hex");
  const there = new URL(empty.url);
  // Written by PostgreSQL itself, which may be a user who can't enter our folders.
  const [directory] = await runSql(empty.url, "select current_setting('data_directory')");
  const secret = `${String(directory)}/${role}`;
  await runSql(empty.url, `copy (values ('${password}')) to '${secret}'`);
  const sql = readFileSync("deploy/compose/owner.sql", "utf8")
    .replaceAll("/run/secrets/postgres/owner-password", secret)
    .replaceAll("database payment", `database ${there.pathname.slice(1)}`)
    .replaceAll(/\b(role|owner to) payment\b/g, `$1 ${role}`);
  await runSql(empty.url, sql);
  there.username = role;
  there.password = password;
  url = there.href;
  await prepareDatabase(url);
});

afterAll(async () => {
  await empty.drop();
  await runSql(inject("postgresUrl"), `drop role ${role}`);
});

test("its owner migrates a database, pays in it, and makes and drops its partitions", async () => {
  const [who] = await runSql(
    url,
    `select current_user::text, rolsuper or rolcreaterole or rolcreatedb or rolbypassrls
     from pg_roles where rolname = current_user`,
  );
  expect(who).toEqual([role, false]);
  const ledger = await openLedger(url);
  const debtor = await ledger.openFunded(100n);
  const creditor = await ledger.open({ ownerId: "bob" });
  const sides = { debtorAccountId: debtor.id, creditorAccountId: creditor.id };
  expect((await ledger.pay({ ...sides, amountMinor: 1n })).payment.status).toBe("SETTLED");
  expect((await ledger.verify()).findings).toEqual([]);
  await ledger.close();

  const old = "payment_event_2000_01_01";
  await runSql(
    url,
    `create table ${old} partition of payment_event for values from ('2000-01-01') to ('2000-01-02')`,
  );
  const [last] = await runSql(
    url,
    `select max(inhrelid::regclass::text) from pg_inherits where inhparent = 'payment'::regclass`,
  );
  await runSql(url, `drop table ${String(last)}`);
  const database = await openDatabase({ url, entities, poolSize: 1, commitPoolSize: 2 });
  expect(await ensurePartitions(database)).toEqual([String(last)]);
  expect(await dropPublishedEvents(database)).toEqual([old]);
  await database.close();
});
