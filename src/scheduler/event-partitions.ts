import type { Database } from "../platform/database.ts";
import { withSchemaLock } from "../platform/database.ts";

/** Days for which the log is kept in the database after it was published. */
const KEPT_DAYS = 7;

/** Tables that were partitions of the log and aren't any more, since a drop was interrupted. */
const DETACHED = `
  select relname as name from pg_class
  where relname ~ '^payment_event_\\d{4}_\\d{2}_\\d{2}$' and relkind = 'r' and not relispartition
    and relnamespace = 'public'::regnamespace`;

/** Partitions whose detachment was interrupted. */
const HALF_DETACHED = `
  select inhrelid::regclass::text as name from pg_inherits
  where inhparent = 'payment_event'::regclass and inhdetachpending`;

/**
 * Partitions that end before the days that are kept, by PostgreSQL's clock, and before all that
 * waits. What waits lies in order of time, more or less: if some is old, that's soon found.
 */
const REMOVABLE = `
  select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
  cross join lateral (select substring(pg_get_expr(c.relpartbound, c.oid)
    from $$TO \\('([^']+)'\\)$$)::timestamptz as until) bounds
  where i.inhparent = 'payment_event'::regclass
    and until <= clock_timestamp() - $1 * interval '1 day'
    and not exists (select from unpublished_event where create_time < until)`;

/**
 * Removes the daily partitions of the event log that are seven days old, if all until their end is
 * published; from what isn't on, the log stays for as long as it takes. Safe to run on every
 * instance at once.
 * Nobody waits for it: a partition is detached without a lock that stops writers, and dropped
 * then. What an interrupted run has left is finished by the next. Returns the names.
 */
export async function dropPublishedEvents(database: Database): Promise<string[]> {
  const pool = database.commitPool;
  const namesOf = async (sql: string, values: unknown[] = []) =>
    (await pool.query<{ name: string }>(sql, values)).rows.map(({ name }) => name);
  if ((await findRemovable(namesOf)).length === 0) return [];
  return withSchemaLock(database, async () => {
    for (const name of await namesOf(HALF_DETACHED)) {
      await pool.query(`alter table payment_event detach partition ${name} finalize`);
    }
    for (const name of await namesOf(REMOVABLE, [KEPT_DAYS])) {
      await pool.query(`alter table payment_event detach partition ${name} concurrently`);
    }
    const detached = await namesOf(DETACHED);
    for (const name of detached) await pool.query(`drop table ${name}`);
    return detached;
  });
}

type NamesOf = (sql: string, values?: unknown[]) => Promise<string[]>;

async function findRemovable(namesOf: NamesOf): Promise<string[]> {
  const left = [...(await namesOf(HALF_DETACHED)), ...(await namesOf(DETACHED))];
  return [...left, ...(await namesOf(REMOVABLE, [KEPT_DAYS]))];
}
