import type { EntityManager } from "@mikro-orm/postgresql";
import type { Duplex } from "node:stream";
import type { PoolClient, QueryArrayResult, QueryConfig } from "pg";
import type { Database } from "./database.ts";
import { isConnectionError } from "./postgres-errors.ts";

/** One prepared statement with its values. */
export interface Statement {
  /** The name under which each connection prepares the text once. */
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Runs one query of a snapshot; the rows by their columns' names. */
export type SnapshotQuery = (sql: string) => Promise<Readonly<Record<string, string>>[]>;

/** The one place that opens transactions. */
export interface UnitOfWork {
  /** READ COMMITTED, for changes through entities. */
  transaction<T>(work: (em: EntityManager) => Promise<T>): Promise<T>;
  /** One read-only snapshot of the whole database, for queries that take as long as they take. */
  snapshot<T>(work: (query: SnapshotQuery) => Promise<T>): Promise<T>;
  /**
   * READ COMMITTED in two round trips: BEGIN with `load`, then the statements that `decide` makes
   * of their rows with COMMIT; none of them: a rollback. Nobody waits for anything but PostgreSQL
   * in between.
   */
  twoTrips(
    load: readonly Statement[],
    decide: (rows: readonly unknown[][][]) => readonly Statement[],
  ): Promise<void>;
}

const SNAPSHOT_TIMEOUT_MS = 24 * 3_600_000;

/** Thrown when PostgreSQL answered COMMIT with a rollback although no statement had failed. */
class RolledBackError extends Error {
  override readonly name = "RolledBackError";
}

/** Makes the unit of work on an open database. */
export function createUnitOfWork(database: Database): UnitOfWork {
  const { orm, commitPool } = database;
  return {
    transaction: (work) => orm.em.fork().transactional((em) => work(em as EntityManager)),
    async snapshot(work) {
      const client = await commitPool.connect();
      const query: SnapshotQuery = async (text) =>
        (await client.query({ text, query_timeout: SNAPSHOT_TIMEOUT_MS } as QueryConfig)).rows;
      try {
        await query("begin isolation level repeatable read read only");
        await query("set local statement_timeout = 0");
        return await work(query);
      } finally {
        // The connection isn't used again, so whatever state it's in is nobody's trouble.
        client.release(true);
      }
    },
    async twoTrips(load, decide) {
      const client = await commitPool.connect();
      let broken: Error | undefined;
      try {
        const rows = await send(client, [{ text: "begin" }, ...load.map(toQuery)]);
        const writes = decide(rows.slice(1).map((result) => result.rows as unknown[][]));
        if (writes.length === 0) {
          await client.query("rollback");
          return;
        }
        const done = await send(client, [...writes.map(toQuery), { text: "commit" }]);
        if (done.at(-1)?.command !== "COMMIT") throw new RolledBackError("COMMIT rolled back");
      } catch (error) {
        if (isConnectionError(error)) broken = error as Error;
        else await client.query("rollback").catch((cause: Error) => (broken = cause));
        throw error;
      } finally {
        client.release(broken);
      }
    },
  };
}

function toQuery(statement: Statement) {
  return {
    name: statement.name,
    text: statement.text,
    values: statement.values as unknown[],
    rowMode: "array" as const,
  };
}

/** Sends all in one write, waits for all, and throws the first statement's error. */
async function send(
  client: PoolClient,
  queries: readonly { text: string }[],
): Promise<QueryArrayResult[]> {
  const { stream } = (client as unknown as { connection: { stream: Duplex } }).connection;
  stream.cork();
  const answers = queries.map(
    (query) => client.query(query) as unknown as Promise<QueryArrayResult>,
  );
  stream.uncork();
  const settled = await Promise.allSettled(answers);
  return settled.map((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
}
