import { MikroORM, type Options } from "@mikro-orm/postgresql";
import { Migrator } from "@mikro-orm/migrations";
import { Pool } from "pg";
import { FirstMigration } from "./migrations/0001-first.ts";

/** What a connection to PostgreSQL needs. */
export interface DatabaseOptions {
  /** `postgres://user:password@host:port/name?sslmode=...` */
  readonly url: string;
  readonly entities: NonNullable<Options["entities"]>;
  /** The most connections for reads and account changes. */
  readonly poolSize: number;
  /** The most connections for ledger commits; they are kept apart so that reads never starve them. */
  readonly commitPoolSize: number;
  /** PostgreSQL ends a statement that runs longer, in milliseconds. */
  readonly statementTimeoutMs?: number;
  /** PostgreSQL ends a wait for a lock that takes longer, in milliseconds. */
  readonly lockTimeoutMs?: number;
}

/** The open connections to one PostgreSQL database. */
export interface Database {
  readonly orm: MikroORM;
  /** Connections that pipeline their statements, for the ledger alone. */
  readonly commitPool: Pool;
  /** Connections that look for what is unpublished or unsent by its index, whatever statistics say. */
  readonly outboxPool: Pool;
  /** Connections that look for watchers' news by keys, however many; the log is read by them too. */
  readonly watchPool: Pool;
  close(): Promise<void>;
}

const migrations = [{ name: "0001-first", class: FirstMigration }];

/** For both halves of a backlog, leases, webhooks to send and what came of them: none waits. */
const OUTBOX_CONNECTIONS = 5;
/** For watchers of payments and of accounts: those that are there, and those that come. */
const WATCH_CONNECTIONS = 4;

/** Connects lazily: the first query finds out whether PostgreSQL is there. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000;
  const connection = {
    connectionString: options.url,
    application_name: "instant-payment",
    statement_timeout: statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs ?? 10_000,
    idle_in_transaction_session_timeout: statementTimeoutMs,
    connectionTimeoutMillis: 5_000,
    // A connection whose other end vanished must not hang a commit for ever.
    query_timeout: statementTimeoutMs + 5_000,
    keepAlive: true,
  };
  const orm = await MikroORM.init({
    entities: options.entities,
    clientUrl: options.url,
    driverOptions: { ...connection, max: options.poolSize },
    extensions: [Migrator],
    migrations: {
      migrationsList: migrations,
      snapshot: false,
      silent: true,
      tableName: "schema_migration",
    },
    // One UPDATE per row, each with its version in the WHERE: a batched one is guarded by id alone.
    useBatchUpdates: false,
    ignoreUndefinedInQuery: true,
    discovery: { warnWhenNoEntities: false },
  });
  const commitPool = new Pool({
    ...connection,
    // A transaction of the ledger never pauses, unless its process does: then others need its locks.
    idle_in_transaction_session_timeout: 5_000,
    // The ledger's statements look up rows by key, however many: planned once they stay right,
    // while a plan for each batch costs more and may scan the accounts.
    options: "-c plan_cache_mode=force_generic_plan",
    // One is held while the schema changes.
    max: Math.max(2, options.commitPoolSize),
    pipeline: true,
  });
  const outboxPool = new Pool({
    ...connection,
    // Statistics of a queue are old as soon as they're made. By them PostgreSQL reads all that waits
    // and sorts it, to take the first few: ten times the cost for each event of a backlog.
    options:
      "-c plan_cache_mode=force_generic_plan -c jit=off -c enable_seqscan=off " +
      "-c enable_bitmapscan=off -c enable_sort=off",
    max: OUTBOX_CONNECTIONS,
  });
  const watchPool = new Pool({
    ...connection,
    // Each of a list's rows is looked up by its key, whatever statistics say of lists and tables.
    options:
      "-c plan_cache_mode=force_generic_plan -c jit=off -c enable_sort=off " +
      "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off",
    max: WATCH_CONNECTIONS,
  });
  for (const pool of [commitPool, outboxPool, watchPool]) {
    // A dropped idle connection is replaced by the pool; without a listener it would end the process.
    pool.on("error", () => {});
    pool.on("connect", (client) => client.on("error", () => {}));
  }
  return {
    orm,
    commitPool,
    outboxPool,
    watchPool,
    async close() {
      await Promise.all([orm.close(true), commitPool.end(), outboxPool.end(), watchPool.end()]);
    },
  };
}

/** The migrations that this program has and the database hasn't, by name. */
export async function pendingMigrations(database: Database): Promise<string[]> {
  const { rows } = await database.commitPool.query<{ there: boolean }>(
    "select to_regclass('schema_migration') is not null as there",
  );
  if (!rows[0]?.there) return migrations.map((migration) => migration.name);
  const done = await database.commitPool.query<{ name: string }>(
    "select name from schema_migration",
  );
  const names = new Set(done.rows.map((row) => row.name));
  return migrations.map((migration) => migration.name).filter((name) => !names.has(name));
}

/** The key of the advisory lock under which the schema changes; any constant of ours. */
const SCHEMA_LOCK = 7_236_114;

/** Runs `work` while no other instance changes the schema; waits for one that does. */
export async function withSchemaLock<T>(database: Database, work: () => Promise<T>): Promise<T> {
  const client = await database.commitPool.connect();
  try {
    await client.query("set lock_timeout = 0; set statement_timeout = 0");
    await client.query("select pg_advisory_lock($1)", [SCHEMA_LOCK]);
    return await work();
  } finally {
    // Ending the session frees the lock, whatever state it is in.
    client.release(true);
  }
}

/** Runs the pending migrations, one instance at a time, and returns their names. */
export async function migrate(database: Database): Promise<string[]> {
  return withSchemaLock(database, async () => {
    const done = await database.orm.migrator.up();
    return done.map((migration) => migration.name);
  });
}
