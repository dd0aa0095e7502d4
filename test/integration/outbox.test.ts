import { expect, test } from "vitest";
import { createOutbox } from "../../src/events/outbox.ts";
import { runSql } from "../support/sql.ts";
import { useFreshLedger } from "../support/use-ledger.ts";

const WAITING = 20_000;

/** Further events of the one there is, as many of each shard. */
const FILL = `
  with logged as (
    insert into payment_event (payment_id, sequence, create_time, event_id, shard, payload)
    select gen_random_uuid(), 1, create_time, gen_random_uuid(), n % 64, payload
    from payment_event, generate_series(1, ${WAITING}) n
    returning shard, id, payment_id, sequence, create_time)
  insert into unpublished_event select * from logged`;

const used = useFreshLedger();
const shards = Array.from({ length: 64 }, (_, shard) => shard);
const epochs = new Map(shards.map((shard) => [shard, 0]));

/** Of all the tables of events: how often one was read as a whole, and how many rows were read. */
async function readsOfEvents() {
  const pool = used.ledger.database.outboxPool;
  await pool.query("select pg_stat_force_next_flush()");
  const [row] = await runSql(
    used.url,
    `select sum(seq_scan)::int, sum(seq_tup_read + idx_tup_fetch)::int from pg_stat_user_tables
     where relname ~ '^(payment|unpublished)_event'`,
  );
  const [scans, rows] = row as [number, number];
  return { scans, rows };
}

test.each([
  ["nobody has looked at", ""],
  ["were empty when PostgreSQL looked at them", "analyze"],
  ["were empty when they were cleared", "vacuum analyze"],
])(
  "A look and a mark cost what they find, however much waits in tables that %s",
  async (_, sql) => {
    await used.ledger.openFunded(20n);
    const outbox = createOutbox(used.ledger.database);
    await outbox.mark(await outbox.unpublished(shards), epochs);
    if (sql !== "") await runSql(used.url, `${sql} payment_event, unpublished_event`);
    // As plans are made: of what is there now.
    expect(await outbox.unpublished(shards)).toEqual([]);
    await outbox.mark([], epochs);
    await runSql(used.url, FILL);
    const before = await readsOfEvents();
    const events = await outbox.unpublished(shards);
    expect(events).toHaveLength(1_024);
    await outbox.mark(events, epochs);
    const after = await readsOfEvents();
    expect(after.scans).toBe(before.scans);
    expect(after.rows - before.rows).toBeLessThan(6 * events.length);
    expect((await outbox.backlog()).events).toBe(WAITING - events.length);
  },
);
