import type { EntityName, EntityProperty, MikroORM } from "@mikro-orm/postgresql";
import { AccountEntity } from "../accounts/account.entity.ts";
import { PaymentEventEntity } from "../events/payment-event.entity.ts";
import { IdempotencyKeyEntity } from "../payments/idempotency-key.entity.ts";
import type { PaymentCommand } from "../payments/payment-command.ts";
import { PaymentEntity } from "../payments/payment.entity.ts";
import { EntryEntity } from "./entry.entity.ts";

/** What keeps two transactions from spending the same money; tests turn one or both off. */
export interface Guards {
  /** Lock the account rows, in id order, before deciding. */
  readonly rowLocks: boolean;
  /** Compare the version in the WHERE of every account UPDATE, and the number of rows changed. */
  readonly versionCheck: boolean;
}

interface Column {
  readonly property: string;
  readonly name: string;
  readonly type: string;
}

/** The ledger's statements: tables, columns and types come from the entities. */
export interface BatchSql {
  readonly insertKeys: Insert;
  readonly loadAccounts: string;
  /** PostgreSQL's time in ms since 1970, to be read when the locks are held. */
  readonly readClock: string;
  readonly deleteKeys: string;
  deleteKeysValues(commands: readonly PaymentCommand[]): unknown[];
  /** One statement for all writes of a batch. */
  readonly write: string;
  /** The values of `write`, in order: the rows of each table. */
  writeValues(rows: WriteRows): unknown[];
}

/** An INSERT of many rows and the values for its array parameters. */
export interface Insert {
  readonly text: string;
  values(rows: readonly object[]): unknown[];
}

/** The rows that one batch writes, named by the entities' properties. */
export interface WriteRows {
  readonly accounts: readonly object[];
  readonly payments: readonly object[];
  readonly entries: readonly object[];
  readonly events: readonly object[];
}

const ACCOUNT_CHANGES = ["postedMinor", "heldMinor", "entrySequence", "updateTime"];
const EVENT_COLUMNS = ["paymentId", "sequence", "createTime", "eventId", "shard", "payload"];

/** The properties that `loadAccounts` selects, in order; `updateTime` in ms since 1970. */
const LOADED_ACCOUNT = [
  "id",
  "ownerId",
  "currencyCode",
  "postedMinor",
  "heldMinor",
  "overdraftMode",
  "overdraftLimitMinor",
  "status",
  "version",
  "entrySequence",
  "updateTime",
] as const;

/** Writes the statements once, from MikroORM's metadata. */
export function createBatchSql(orm: MikroORM, guards: Guards): BatchSql {
  const account = table(orm, AccountEntity);
  const accountColumns = columns(account, ["id", "version", ...ACCOUNT_CHANGES]);
  const payment = table(orm, PaymentEntity);
  const entry = table(orm, EntryEntity);
  const event = table(orm, PaymentEventEntity);
  const eventColumns = columns(event, EVENT_COLUMNS);
  const key = table(orm, IdempotencyKeyEntity);
  const groups = [accountColumns, payment.columns, entry.columns, eventColumns];
  const first = groups.map((_, i) => 1 + groups.slice(0, i).flat().length);
  const set = columns(account, ACCOUNT_CHANGES).map((c) => `${c.name} = u.${c.name}`);
  const matches = guards.versionCheck ? "a.id = u.id and a.version = u.version" : "a.id = u.id";
  return {
    insertKeys: {
      text: `${insertSql(key.name, key.columns, 1)} on conflict do nothing returning payment_id`,
      values: (rows) => arrays(key.columns, rows),
    },
    loadAccounts:
      `select ${columns(account, [...LOADED_ACCOUNT])
        .map(selected)
        .join(", ")} ` +
      `from ${account.name} where id = any($1::uuid[]) order by id` +
      (guards.rowLocks ? " for no key update" : ""),
    readClock: "select (extract(epoch from clock_timestamp()) * 1000)::bigint",
    deleteKeysValues: (commands) => [
      commands.map((command) => command.paymentId),
      commands.map((command) => command.ownerId),
      commands.map((command) => command.idempotencyKey),
    ],
    deleteKeys: `delete from ${key.name} where payment_id = any($1::uuid[]) and (owner_id, key) in
      (select * from unnest($2::text[], $3::text[]))`,
    write: `with booked as (
      update ${account.name} a set ${set.join(", ")}, version = a.version + 1
      from ${unnest(accountColumns, first[0]!)} where ${matches} returning 1),
    paid as (${insertSql(payment.name, payment.columns, first[1]!)}),
    posted as (${insertSql(entry.name, entry.columns, first[2]!)}),
    logged as (${insertSql(event.name, eventColumns, first[3]!)})
    select expect_rows((select count(*) from booked), cardinality($1::uuid[]))`,
    writeValues: (rows) => [
      ...arrays(accountColumns, rows.accounts),
      ...arrays(payment.columns, rows.payments),
      ...arrays(entry.columns, rows.entries),
      ...arrays(eventColumns, rows.events),
    ],
  };
}

function table<T extends object>(
  orm: MikroORM,
  entity: EntityName<T>,
): { name: string; columns: Column[] } {
  const meta = orm.getMetadata().get(entity);
  const properties = Object.values<EntityProperty>(meta.properties);
  const all = properties.filter((property) => property.persist !== false);
  return {
    name: meta.tableName,
    columns: all.map((property) => ({
      property: property.name,
      name: property.fieldNames[0]!,
      type: property.columnTypes[0]!,
    })),
  };
}

function columns(from: { columns: Column[] }, properties: readonly string[]): Column[] {
  return properties.map((property) => {
    const column = from.columns.find((one) => one.property === property);
    if (!column) throw new Error(`no property ${property}`);
    return column;
  });
}

function insertSql(name: string, of: Column[], first: number): string {
  const names = of.map((column) => column.name).join(", ");
  return `insert into ${name} (${names}) select u.* from ${unnest(of, first)}`;
}

function unnest(of: Column[], first: number): string {
  const parameters = of.map((column, i) => `$${first + i}::${column.type}[]`).join(", ");
  return `unnest(${parameters}) as u(${of.map((column) => column.name).join(", ")})`;
}

function selected(column: Column): string {
  if (!column.type.startsWith("timestamptz")) return column.name;
  return `(extract(epoch from ${column.name}) * 1000)::bigint`;
}

/**
 * Turns rows into one array literal for each column, as PostgreSQL reads it. Written here and not
 * by the driver, which looks into every element for what it might have to escape.
 */
function arrays(of: Column[], rows: readonly object[]): string[] {
  return of.map(({ property, type }) => {
    const write = WRITERS[type] ?? writeText;
    let literal = "{";
    for (const row of rows) {
      const value = (row as Record<string, unknown>)[property];
      if (literal.length > 1) literal += ",";
      literal += value === null || value === undefined ? "NULL" : write(value);
    }
    return `${literal}}`;
  });
}

const writePlain = (value: unknown): string => String(value);
const writeTime = (value: unknown): string => `"${(value as Date).toISOString()}"`;
const writeText = (value: unknown): string =>
  `"${String(value).replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;

/** How a value of a type stands in an array literal; any other type as text. */
const WRITERS: Readonly<Record<string, (value: unknown) => string>> = {
  uuid: writePlain,
  bigint: writePlain,
  int: writePlain,
  smallint: writePlain,
  "timestamptz(3)": writeTime,
  bytea: (value) => `"\\\\x${Buffer.from(value as Uint8Array).toString("hex")}"`,
  jsonb: (value) => writeText(JSON.stringify(value)),
};
