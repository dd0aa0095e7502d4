import type { EntityName, EntityProperty, MikroORM } from "@mikro-orm/postgresql";
import { AccountEntity } from "../accounts/account.entity.ts";
import { PaymentEventEntity } from "../events/payment-event.entity.ts";
import { UnpublishedEventEntity } from "../events/unpublished-event.entity.ts";
import { IdempotencyKeyEntity } from "../payments/idempotency-key.entity.ts";
import type { KeyedCommand } from "../payments/payment-command.ts";
import { PaymentEntity, type PaymentRow } from "../payments/payment.entity.ts";
import { encodeRows, type RowLayout } from "../platform/binary-rows.ts";
import { EntryEntity } from "./entry.entity.ts";

/** What keeps two transactions from spending the same money; tests turn one or both off. */
export interface Guards {
  /** Lock the account rows, in id order, before deciding. */
  readonly rowLocks: boolean;
  /** Compare the version in the WHERE of every account UPDATE, and the number of rows changed. */
  readonly versionCheck: boolean;
}

/** The ledger's statements: tables, columns and types come from the entities. */
export interface BatchSql {
  /** The tables that get rows; how PostgreSQL lays these out is asked when rows are encoded. */
  readonly tables: readonly string[];
  /** Takes the keys that are free; the ids of those commands. */
  readonly insertKeys: string;
  /** Locks payments by their `create_time` and id, in order of the id. */
  readonly loadPayments: string;
  toPayment(row: unknown[]): PaymentRow;
  /**
   * Locks accounts in id order. Each row begins with PostgreSQL's time once its lock is held and
   * ends with that of the statement's begin.
   */
  readonly loadAccounts: string;
  readonly deleteKeys: string;
  deleteKeysValues(commands: readonly KeyedCommand[]): unknown[];
  /** One statement for all writes of a batch. */
  readonly write: string;
  keyValues(layouts: Layouts, rows: readonly object[]): unknown[];
  /** The values of `write`, in order: the rows of each table. */
  writeValues(layouts: Layouts, rows: WriteRows): unknown[];
  /** What a batch changes of payments that were there, each with its sequence in the WHERE. */
  readonly updatePayments: string;
  updatePaymentsValues(layouts: Layouts, payments: readonly ChangedPayment[]): unknown[];
}

/** A payment to be written anew, and the sequence that it was read with. */
export interface ChangedPayment {
  readonly payment: PaymentRow;
  readonly readSequence: number;
}

/** By the table's name. */
export type Layouts = ReadonlyMap<string, RowLayout>;

/** The rows that one batch writes, named by the entities' properties. */
export interface WriteRows {
  readonly accounts: readonly object[];
  readonly payments: readonly object[];
  readonly entries: readonly object[];
  readonly events: readonly object[];
}

/** A table, or some columns of it: property by column. */
interface Table {
  readonly name: string;
  readonly columns: ReadonlyMap<string, string>;
}

const ACCOUNT_CHANGES = ["postedMinor", "heldMinor", "entrySequence", "updateTime"];
const EVENT_COLUMNS = [
  "paymentId",
  "sequence",
  "createTime",
  "eventId",
  "shard",
  "payload",
  "traceparent",
];

/** What changes of a payment that is there. */
const PAYMENT_CHANGES = [
  "status",
  "reason",
  "reasonDetail",
  "sequence",
  "capturedMinor",
  "refundedMinor",
  "retriedByPaymentId",
  "attempts",
  "expireTime",
  "dueTime",
  "debtorBalanceAfterMinor",
  "creditorBalanceAfterMinor",
  "updateTime",
] as const;

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
  const account = pick(tableOf(orm, AccountEntity), ["id", "version", ...ACCOUNT_CHANGES]);
  const payment = tableOf(orm, PaymentEntity);
  const entry = tableOf(orm, EntryEntity);
  const event = pick(tableOf(orm, PaymentEventEntity), EVENT_COLUMNS);
  const waiting = tableOf(orm, UnpublishedEventEntity);
  const waitingColumns = columnsOf(waiting).join(", ");
  const key = tableOf(orm, IdempotencyKeyEntity);
  const loaded = pick(tableOf(orm, AccountEntity), LOADED_ACCOUNT);
  const set = columnsOf(pick(account, ACCOUNT_CHANGES)).map((name) => `${name} = u.${name}`);
  const changes = columnsOf(pick(payment, PAYMENT_CHANGES)).map((name) => `${name} = u.${name}`);
  const read = guards.versionCheck ? " and p.sequence = r.sequence" : "";
  const matches = guards.versionCheck ? "a.id = u.id and a.version = u.version" : "a.id = u.id";
  return {
    tables: [account, payment, entry, event, key].map(({ name }) => name),
    insertKeys: `${insertSql(key, 1)} on conflict do nothing
      returning coalesce(command_id, payment_id)`,
    // No join: when a row was changed while it was waited for, PostgreSQL 18 loses rows of other
    // partitions than the last one that a nested loop came to. Ids are unique without their times.
    loadPayments:
      `select ${columnsOf(payment).map(loadedColumn).join(", ")} from ${payment.name}
      where create_time = any($1::timestamptz[]) and id = any($2::uuid[]) order by id` +
      (guards.rowLocks ? " for no key update" : ""),
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the entity's own columns
    toPayment: (row) => readRow(payment, row) as unknown as PaymentRow,
    // The lock is inside, so that the clock is read when it's held; without accounts one row still.
    loadAccounts:
      `select ${inMilliseconds("clock_timestamp()")}, a.*, ` +
      `${inMilliseconds("statement_timestamp()")} from (select) one left join ` +
      `(select ${columnsOf(loaded).map(loadedColumn).join(", ")} ` +
      `from ${account.name} where id = any($1::uuid[]) order by id` +
      (guards.rowLocks ? " for no key update" : "") +
      ") a on true",
    deleteKeysValues: (commands) => [
      commands.map((command) => command.id),
      commands.map((command) => command.ownerId),
      commands.map((command) => command.idempotencyKey),
    ],
    deleteKeys: `delete from ${key.name}
      where coalesce(command_id, payment_id) = any($1::uuid[])
      and (owner_id, key) in (select * from unnest($2::text[], $3::text[]))`,
    write: `with booked as (
      update ${account.name} a set ${set.join(", ")}, version = a.version + 1
      from unnest($1::${account.name}[]) u where ${matches} returning 1),
    paid as (${insertSql(payment, 2)}),
    posted as (${insertSql(entry, 3)}),
    logged as (${insertSql(event, 4)} returning ${waitingColumns}),
    waiting as (insert into ${waiting.name} (${waitingColumns}) select ${waitingColumns} from logged)
    select expect_rows((select count(*) from booked), cardinality($1::${account.name}[]))`,
    keyValues: (layouts, rows) => [encode(layouts, key, rows)],
    writeValues: (layouts, rows) => [
      encode(layouts, account, rows.accounts),
      encode(layouts, payment, rows.payments),
      encode(layouts, entry, rows.entries),
      encode(layouts, event, rows.events),
    ],
    updatePayments: `with changed as (
      update ${payment.name} p set ${changes.join(", ")} from unnest($1::${payment.name}[]) u
      join unnest($2::uuid[], $3::int[]) r(id, sequence) on r.id = u.id
      where p.create_time = u.create_time and p.id = u.id${read} returning 1)
      select expect_rows((select count(*) from changed), cardinality($2::uuid[]))`,
    updatePaymentsValues: (layouts, changed) => [
      encode(
        layouts,
        payment,
        changed.map((one) => one.payment),
      ),
      changed.map((one) => one.payment.id),
      changed.map((one) => one.readSequence),
    ],
  };
}

function tableOf<T extends object>(orm: MikroORM, entity: EntityName<T>): Table {
  const meta = orm.getMetadata().get(entity);
  const properties = Object.values<EntityProperty>(meta.properties);
  const all = properties.filter((property) => property.persist !== false);
  const columns = new Map(all.map((property) => [property.fieldNames[0]!, property.name]));
  return { name: meta.tableName, columns };
}

function pick(table: Table, properties: readonly string[]): Table {
  const byProperty = new Map([...table.columns].map(([column, property]) => [property, column]));
  const columns = new Map(properties.map((property) => [byProperty.get(property)!, property]));
  return { name: table.name, columns };
}

function columnsOf(table: Table): string[] {
  return [...table.columns.keys()];
}

function insertSql(table: Table, parameter: number): string {
  const columns = columnsOf(table);
  const from = `unnest($${parameter}::${table.name}[]) u`;
  return `insert into ${table.name} (${columns.join(", ")})
    select ${columns.map((name) => `u.${name}`).join(", ")} from ${from}`;
}

function encode(layouts: Layouts, table: Table, rows: readonly object[]): Buffer {
  return encodeRows(layouts.get(table.name)!, table.columns, rows);
}

/** A row as it was loaded, with a property for each column. */
function readRow(table: Table, row: unknown[]): Record<string, unknown> {
  const read = (value: unknown, column: string): unknown => {
    if (value === null) return null;
    if (column.endsWith("_time")) return new Date(Number(value));
    return column.endsWith("_minor") ? BigInt(value as string) : value;
  };
  const columns = [...table.columns];
  return Object.fromEntries(
    columns.map(([column, property], i) => [property, read(row[i], column)]),
  );
}

/** Times as `readRow` reads them. */
function loadedColumn(name: string): string {
  return name.endsWith("_time") ? inMilliseconds(name) : name;
}

function inMilliseconds(time: string): string {
  return `(extract(epoch from ${time}) * 1000)::bigint`;
}
