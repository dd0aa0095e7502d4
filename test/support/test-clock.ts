import { ensurePartitions } from "../../src/scheduler/partitions.ts";
import { runSql } from "./sql.ts";
import type { UsedLedger } from "./use-ledger.ts";

/** In front of PostgreSQL's own function of that name, but behind our tables. */
const CLOCK = `
  create schema test_clock;
  create table test_clock.shift (by interval not null);
  insert into test_clock.shift values ('0');
  create function test_clock.clock_timestamp() returns timestamptz language sql volatile
    as 'select pg_catalog.clock_timestamp() + by from test_clock.shift';
  do $$ begin
    execute format('alter database %I set search_path = public, test_clock, pg_catalog',
      current_database());
  end $$`;

/** Puts a clock that can be moved before PostgreSQL's; to be called before any other connection. */
export async function installTestClock(url: string): Promise<void> {
  await runSql(url, CLOCK);
}

/**
 * Moves the clock to a moment, from which it goes on, and makes the partitions that are needed
 * then. Time on an account never goes back, so move from the oldest moment to the newest.
 */
export async function travelTo({ url, ledger }: UsedLedger, time: Date): Promise<void> {
  await runSql(
    url,
    "update test_clock.shift set by = $1::timestamptz - pg_catalog.clock_timestamp()",
    [time],
  );
  ledger.databaseClock.observe(time.getTime());
  await ensurePartitions(ledger.database);
}
