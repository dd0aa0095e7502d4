import { withSchemaLock, type Database } from "../platform/database.ts";

const MONTHLY = ["payment", "entry"] as const;
const MONTHS_AHEAD = 3;
const DAYS_AHEAD = 7;

interface Partition {
  readonly parent: string;
  readonly name: string;
  readonly from: Date;
  readonly to: Date;
}

/** The partitions that must be there at a moment: this month and three, today and seven days. */
export function neededPartitions(now: Date): Partition[] {
  const year = now.getUTCFullYear();
  const month = now.getUTCMonth();
  const day = now.getUTCDate();
  const partitions: Partition[] = [];
  for (let ahead = 0; ahead <= MONTHS_AHEAD; ahead++) {
    const from = new Date(Date.UTC(year, month + ahead, 1));
    const to = new Date(Date.UTC(year, month + ahead + 1, 1));
    const suffix = from.toISOString().slice(0, 7).replaceAll("-", "_");
    for (const parent of MONTHLY)
      partitions.push({ parent, name: `${parent}_${suffix}`, from, to });
  }
  for (let ahead = 0; ahead <= DAYS_AHEAD; ahead++) {
    const from = new Date(Date.UTC(year, month, day + ahead));
    const to = new Date(Date.UTC(year, month, day + ahead + 1));
    const suffix = from.toISOString().slice(0, 10).replaceAll("-", "_");
    partitions.push({ parent: "payment_event", name: `payment_event_${suffix}`, from, to });
  }
  return partitions;
}

/**
 * Makes the partitions of the coming months and days by PostgreSQL's clock; those that are there
 * stay. Safe to run on every instance at once. Returns the names of the new ones.
 */
export async function ensurePartitions(database: Database): Promise<string[]> {
  const pool = database.commitPool;
  const { rows: clock } = await pool.query<{ now: Date }>("select clock_timestamp() as now");
  const needed = neededPartitions(clock[0]!.now);
  const missing = await findMissing(database, needed);
  if (missing.length === 0) return [];
  return withSchemaLock(database, async () => {
    const stillMissing = await findMissing(database, needed);
    for (const partition of stillMissing) {
      await pool.query(createPartitionSql(partition));
    }
    return stillMissing.map((partition) => partition.name);
  });
}

async function findMissing(database: Database, needed: Partition[]): Promise<Partition[]> {
  const { rows } = await database.commitPool.query<{ name: string }>(
    "select name from unnest($1::text[]) as name where to_regclass(name) is null",
    [needed.map((partition) => partition.name)],
  );
  const names = new Set(rows.map((row) => row.name));
  return needed.filter((partition) => names.has(partition.name));
}

/**
 * One simple query, so PostgreSQL runs it as one transaction: all of it or nothing. A partition
 * takes the parent's indexes and row triggers over, but neither of the two that are added here.
 */
function createPartitionSql({ parent, name, from, to }: Partition): string {
  const create =
    `create table ${name} partition of ${parent} ` +
    `for values from ('${from.toISOString()}') to ('${to.toISOString()}')`;
  if (parent !== "entry") return create;
  return `${create};
    create unique index ${name}_sequence_key on ${name} (account_id, entry_sequence);
    create trigger entry_no_truncate before truncate on ${name}
      for each statement execute function refuse_change()`;
}
