import type { Client } from "pg";

/**
 * Drops the tables' indexes, and those of their partitions, and returns a function that makes them
 * again as they were: a table is filled several times as fast that way.
 */
export async function dropIndexes(
  client: Client,
  tables: readonly string[],
): Promise<() => Promise<void>> {
  const { rows } = await client.query<{ drop: string; make: string }>(INDEXES, [tables]);
  for (const index of rows) await client.query(index.drop);
  return async () => {
    for (const index of rows) await client.query(index.make);
  };
}

/**
 * Indexes of the tables and of their partitions, but not a partition's share of its table's. What
 * PostgreSQL says of a partitioned index is for the parent alone: without ONLY it's for all.
 */
const INDEXES = `
  select
    case when c.oid is null then format('drop index %s', i.indexrelid::regclass)
      else format('alter table %s drop constraint %I', i.indrelid::regclass, c.conname)
    end as drop,
    case when c.oid is null then replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ')
      else format('alter table %s add constraint %I %s', i.indrelid::regclass, c.conname,
        pg_get_constraintdef(c.oid))
    end as make
  from pg_index i
    join pg_class index on index.oid = i.indexrelid
    left join pg_constraint c on c.conindid = i.indexrelid
  where not index.relispartition and i.indrelid in (
    select name::regclass from unnest($1::text[]) as name
    union select relid from unnest($1::text[]) as name, pg_partition_tree(name::regclass))`;
