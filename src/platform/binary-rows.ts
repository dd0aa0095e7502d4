import type { MikroORM } from "@mikro-orm/postgresql";

/** How PostgreSQL lays out a table's rows: the type of a row and its columns, in order. */
export interface RowLayout {
  readonly typeOid: number;
  readonly columns: readonly ColumnLayout[];
}

interface ColumnLayout {
  readonly name: string;
  readonly typeOid: number;
}

/** The layouts of some tables, by name; asked for once, and again once they were wrong. */
export interface RowLayouts {
  get(): Promise<ReadonlyMap<string, RowLayout>>;
  /** To be called when PostgreSQL refused a row: a table may have got another column. */
  forget(): void;
}

/** Asks through the given connection pool. */
export function createRowLayouts(orm: MikroORM, tables: readonly string[]): RowLayouts {
  let known: Promise<ReadonlyMap<string, RowLayout>> | undefined;
  const rowLayouts: RowLayouts = {
    get() {
      known ??= loadRowLayouts(orm, tables).catch((error: unknown) => {
        rowLayouts.forget();
        throw error;
      });
      return known;
    },
    forget() {
      known = undefined;
    },
  };
  return rowLayouts;
}

async function loadRowLayouts(
  orm: MikroORM,
  tables: readonly string[],
): Promise<ReadonlyMap<string, RowLayout>> {
  const rows = await orm.em.getConnection().execute<Record<string, string>[]>(
    `select c.oid::regclass::text as table_name, c.reltype::int8 as row_type, a.attname as name,
       a.atttypid::int8 as type
     from pg_class c join pg_attribute a on a.attrelid = c.oid
     where c.oid = any(?::regclass[]) and a.attnum > 0 and not a.attisdropped
     order by c.oid, a.attnum`,
    [`{${tables.join(",")}}`],
  );
  return new Map(
    tables.map((table) => {
      const columns = rows.filter((row) => row["table_name"] === table);
      const layouts = columns.map((row) => ({ name: row["name"]!, typeOid: Number(row["type"]) }));
      return [table, { typeOid: Number(columns[0]!["row_type"]), columns: layouts }];
    }),
  );
}

/**
 * Encodes rows as one parameter, an array of the table's row type in PostgreSQL's binary format:
 * `unnest($1::account[])` makes rows of it. An array for each column, as text, takes PostgreSQL
 * several times as long. Columns that `propertyOf` doesn't know are null.
 */
export function encodeRows(
  layout: RowLayout,
  propertyOf: ReadonlyMap<string, string>,
  rows: readonly object[],
): Buffer {
  const columns = layout.columns.map(({ name, typeOid }) => ({
    property: propertyOf.get(name),
    typeOid,
    write: WRITERS[typeOid],
  }));
  return encodeArray(layout.typeOid, rows, (to, row) => {
    writeInt32(to, columns.length);
    for (const { property, typeOid, write } of columns) {
      writeInt32(to, typeOid);
      const value = property === undefined ? null : (row as Record<string, unknown>)[property];
      if (value === null || value === undefined) writeInt32(to, -1);
      else if (write) writeSized(to, value, write);
      else throw new Error(`no binary format for ${property} of type ${typeOid}`);
    }
  });
}

/** Encodes a `uuid[]` in PostgreSQL's binary format. */
export function encodeUuids(ids: Iterable<string>): Buffer {
  return encodeArray(UUID, [...ids], writeUuid);
}

/** An array of one dimension: dimensions, has no nulls, element type, length, first index. */
function encodeArray<T>(
  elementOid: number,
  elements: readonly T[],
  write: (to: Sink, element: T) => void,
): Buffer {
  const to = { buffer: Buffer.allocUnsafe(256 + elements.length * 256), length: 0 };
  const header =
    elements.length === 0 ? [0, 0, elementOid] : [1, 0, elementOid, elements.length, 1];
  for (const number of header) writeInt32(to, number);
  for (const element of elements) writeSized(to, element, write);
  return to.buffer.subarray(0, to.length);
}

/** A buffer that grows, and how much of it is written. */
interface Sink {
  buffer: Buffer;
  length: number;
}

/** Makes room for more bytes and returns where they begin. */
function grow(to: Sink, bytes: number): number {
  const start = to.length;
  to.length += bytes;
  if (to.length > to.buffer.length) {
    const larger = Buffer.allocUnsafe(to.length * 2);
    to.buffer.copy(larger, 0, 0, start);
    to.buffer = larger;
  }
  return start;
}

/** A value with its size in bytes before it. */
function writeSized<T>(to: Sink, value: T, write: (to: Sink, value: T) => void): void {
  const start = grow(to, 4);
  write(to, value);
  to.buffer.writeInt32BE(to.length - start - 4, start);
}

function writeInt32(to: Sink, value: number): void {
  const at = grow(to, 4);
  to.buffer.writeInt32BE(value, at);
}

function writeInt64(to: Sink, value: bigint | number): void {
  if (typeof value === "bigint") {
    const at = grow(to, 8);
    to.buffer.writeBigInt64BE(value, at);
    return;
  }
  writeInt32(to, Math.floor(value / 2 ** 32));
  const at = grow(to, 4);
  to.buffer.writeUInt32BE(value >>> 0, at);
}

function writeText(to: Sink, text: string): void {
  // A character of UTF-16 is at most three bytes of UTF-8.
  const at = grow(to, text.length * 3);
  to.length = at + (text === "" ? 0 : to.buffer.write(text, at));
}

function writeUuid(to: Sink, uuid: string): void {
  const at = grow(to, 16);
  let byte = 0;
  for (let i = 0; byte < 16; i += 2) {
    if (uuid.charCodeAt(i) === DASH) i++;
    to.buffer[at + byte++] = (hexDigit(uuid.charCodeAt(i)) << 4) | hexDigit(uuid.charCodeAt(i + 1));
  }
}

const DASH = 45;
/** The value of 0-9, a-f or A-F: letters have bit 6 set and count from 1. */
const hexDigit = (code: number): number => (code & 15) + (code >> 6) * 9;

/** 2000-01-01 UTC in ms since 1970, from where PostgreSQL counts microseconds. */
const POSTGRES_EPOCH_MS = 946_684_800_000;

const UUID = 2950;

/** How a value of a type is written, by the type's fixed OID in `pg_type`. */
const WRITERS: Readonly<Record<number, (to: Sink, value: unknown) => void>> = {
  /** bytea */
  17: (to, value) => {
    const bytes = value as Uint8Array;
    const at = grow(to, bytes.length);
    to.buffer.set(bytes, at);
  },
  /** bigint */
  20: (to, value) => writeInt64(to, value as bigint | number),
  /** smallint */
  21: (to, value) => {
    const at = grow(to, 2);
    to.buffer.writeInt16BE(value as number, at);
  },
  /** integer */
  23: (to, value) => writeInt32(to, value as number),
  /** text */
  25: (to, value) => writeText(to, value as string),
  /** timestamptz */
  1184: (to, value) => writeInt64(to, ((value as Date).getTime() - POSTGRES_EPOCH_MS) * 1000),
  [UUID]: (to, value) => writeUuid(to, value as string),
  /** jsonb: a version, then the text */
  3802: (to, value) => {
    const at = grow(to, 1);
    to.buffer[at] = 1;
    writeText(to, JSON.stringify(value));
  },
};
