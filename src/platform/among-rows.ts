import { raw } from "@mikro-orm/postgresql";

/**
 * A condition for `em.find`: the columns' values are those of one of many rows. PostgreSQL looks
 * each row up in the index of those columns, however many there are; an `$or` of a thousand rows
 * takes it a second to plan. `columns` has the PostgreSQL type of each column by its name.
 */
export function amongRows<Column extends string>(
  columns: Readonly<Record<Column, string>>,
  rows: readonly Readonly<Record<Column, string | Date>>[],
): Record<symbol, []> {
  const names = Object.keys(columns).join(", ");
  const types = Object.entries(columns).map(([name, type]) => `${name} ${type as string}`);
  const condition = raw(
    `(${names}) in (select ${names} from jsonb_to_recordset(?::jsonb) as r(${types.join(", ")}))`,
    [JSON.stringify(rows)],
  );
  return { [condition]: [] };
}
