import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  migrate,
  openDatabase,
  pendingMigrations,
  type Database,
} from "../../src/platform/database.ts";
import { ensurePartitions, neededPartitions } from "../../src/scheduler/partitions.ts";
import { entities } from "../../src/schema.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { runSql } from "../support/sql.ts";

const INSTANCES = 5;

/** What MikroORM would take away, since entities can't say it. */
const ONLY_IN_MIGRATIONS = [
  /^drop table .*"(payment|entry|payment_event)_\d{4}_\d{2}(_\d{2})?"/,
  /^drop table .*"schema_migration"/,
  /drop constraint .*_check"$/,
  /^drop trigger if exists "(entry_append_only|payment_(kept|transition))"/,
  /^drop function if exists "(entry_entry_append_only_fn|payment_payment_(kept|transition)_fn|expect_rows)"/,
  /^drop index "(payment_(event_time|due|expire)|webhook_delivery_(due|order))_index"$/,
  // It is there, but MikroORM reads it otherwise than it writes it.
  /^alter table "payment_event" alter column "id" set default nextval\('payment_event_id_seq'\)$/,
];

let database: TestDatabase;
let instances: Database[];
let migrated: string[][];
let partitioned: string[][];

beforeAll(async () => {
  database = await createTestDatabase();
  const options = { url: database.url, entities, poolSize: 2, commitPoolSize: 2 };
  instances = await Promise.all(Array.from({ length: INSTANCES }, () => openDatabase(options)));
  expect(await pendingMigrations(instances[0]!)).not.toEqual([]);
  migrated = await Promise.all(instances.map(migrate));
  partitioned = await Promise.all(instances.map(ensurePartitions));
});

afterAll(async () => {
  await Promise.all(instances.map((one) => one.close()));
  await database.drop();
});

describe("Five instances that start at once", () => {
  test("run each migration once", async () => {
    const rows = await runSql(database.url, "select name from schema_migration");
    expect(migrated.flat().toSorted()).toEqual(rows.map(String).toSorted());
    expect(migrated.filter((names) => names.length > 0)).toHaveLength(1);
    expect(await pendingMigrations(instances[0]!)).toEqual([]);
  });

  test("make each partition once, and none when all are there", async () => {
    const needed = neededPartitions(new Date()).map((partition) => partition.name);
    expect(partitioned.flat().toSorted()).toEqual(needed.toSorted());
    expect(await ensurePartitions(instances[1]!)).toEqual([]);
  });

  test("give every partition of entries its unique key", async () => {
    const rows = await runSql(
      database.url,
      `select c.relname, exists (select from pg_index i where i.indrelid = c.oid and i.indisunique
         and pg_get_indexdef(i.indexrelid) like '%(account_id, entry_sequence)')
       from pg_inherits h join pg_class c on c.oid = h.inhrelid
       where h.inhparent = 'entry'::regclass`,
    );
    expect(rows.length).toBeGreaterThanOrEqual(4);
    expect(rows.filter(([, isUnique]) => isUnique !== true)).toEqual([]);
  });
});

/** What MikroORM would do to make the database what the entities say. */
async function differences(): Promise<string[]> {
  const sql = await instances[0]!.orm.schema.getUpdateSchemaSQL({ wrap: false });
  const statements = sql.split(/;\s*\n/).map((statement) => statement.trim());
  return statements.filter(
    (statement) => statement !== "" && !ONLY_IN_MIGRATIONS.some((ours) => ours.test(statement)),
  );
}

describe("The migrated schema", () => {
  test("has the columns and indexes of the entities", async () => {
    expect(await differences()).toEqual([]);
  });

  // MikroORM doesn't see that one is missing.
  test("has the primary keys of the entities", async () => {
    const rows = await runSql(
      database.url,
      `select c.relname, string_agg(a.attname, ', ' order by array_position(k.conkey, a.attnum))
       from pg_constraint k join pg_class c on c.oid = k.conrelid and not c.relispartition
       join pg_attribute a on a.attrelid = c.oid and a.attnum = any(k.conkey)
       where k.contype = 'p' and k.connamespace = 'public'::regnamespace
         and c.relname <> 'schema_migration' group by c.relname`,
    );
    const expected = [...instances[0]!.orm.getMetadata().getAll().values()].map(
      (meta): [string, string] => [
        meta.tableName,
        meta
          .getPrimaryProps()
          .flatMap((property) => property.fieldNames)
          .join(", "),
      ],
    );
    expect(new Map(rows as [string, string][])).toEqual(new Map(expected));
  });

  test.each([
    ["column", "alter table account drop column metadata"],
    ["type", "alter table account alter currency_code type int using 0"],
    ["NOT NULL", "alter table entry alter payment_id drop not null"],
    ["index", "drop index account_owner_index"],
  ])("would differ by a single %s", async (_, change) => {
    const before = await differences();
    await runSql(database.url, change);
    expect(await differences()).not.toEqual(before);
  });
});
