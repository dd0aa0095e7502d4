import type { MikroORM } from "@mikro-orm/postgresql";
import type { AccountState } from "../accounts/account.ts";
import { shardOf } from "../events/shard.ts";
import type { DatabaseClock } from "../kernel/clock.ts";
import type { ServiceError } from "../kernel/errors.ts";
import { uuidv7 } from "../kernel/ids.ts";
import {
  accountsOf,
  keyName,
  type CommandUnit,
  type PaymentCommand,
} from "../payments/payment-command.ts";
import type { SeenPayment } from "../payments/payment.ts";
import { createRowLayouts, encodeUuids } from "../platform/binary-rows.ts";
import { isLayoutError } from "../platform/postgres-errors.ts";
import type { Statement, UnitOfWork } from "../platform/unit-of-work.ts";
import { createBatchSql, type BatchSql, type Guards, type Layouts } from "./batch-sql.ts";
import { decideUnits, type Outcomes } from "./decide-units.ts";
import { lockWaits } from "./lock-waits.ts";
import { startPosting, type PaymentChange, type Posting } from "./posting.ts";
import { createReplays } from "./replays.ts";

/** What became of one command of a batch. */
export type CommitOutcome =
  | ({ readonly kind: "stored"; readonly replayed: boolean } & SeenPayment)
  /** The call is refused; nothing was written and the key is free. */
  | { readonly kind: "refused"; readonly error: ServiceError }
  /** Somebody else had the key and gave it back, or took it: the unit has to be run again. */
  | { readonly kind: "again" };

/** What a commit needs. */
export interface CommitBatchDeps {
  readonly orm: MikroORM;
  readonly unitOfWork: UnitOfWork;
  readonly databaseClock: DatabaseClock;
  /** Encodes the event of a change under the given id. */
  readonly encodeEvent: (eventId: string, change: PaymentChange) => Uint8Array;
  readonly guards?: Guards;
}

/**
 * Commits all units in one transaction; for each the outcomes of its commands, in order. Tells
 * `onLocked`, once all accounts are locked, for which ones it waited how many milliseconds.
 */
export type CommitBatch = (
  units: readonly CommandUnit[],
  onLocked?: (waits: ReadonlyMap<string, number>) => void,
) => Promise<CommitOutcome[][]>;

/**
 * Makes the one transaction that moves money:
 *
 * 1. Of atomic units: find the keys that were taken before.
 * 2. BEGIN; take the idempotency keys in order (waiting for whoever has one); lock the accounts in
 *    id order; read the clock. A crash from here on leaves nothing.
 * 3. Decide each payment in memory, in arrival order.
 * 4. Write payments, entries, balances (each with its version) and events in one statement;
 *    COMMIT. A crash after it leaves everything; who asks with the key again is told.
 * 5. Of single commands whose key was taken before: read what is stored for them.
 *
 * Throws what PostgreSQL throws, with nothing written; after a lost connection during COMMIT that
 * is unknown, and running the same units again finds out.
 */
export function createCommitBatch(deps: CommitBatchDeps): CommitBatch {
  const { unitOfWork, databaseClock } = deps;
  const sql = createBatchSql(deps.orm, deps.guards ?? { rowLocks: true, versionCheck: true });
  const rowLayouts = createRowLayouts(deps.orm, sql.tables);
  const findReplays = createReplays(deps.orm);

  return async (units, onLocked) => {
    const outcomes: Outcomes = new Map();
    const atomic = units.filter((unit) => unit.atomic).flatMap((unit) => unit.commands);
    if (atomic.length > 0) await findReplays(atomic, outcomes);
    const commands = units.flatMap((unit) => unit.commands);
    const toTake = inKeyOrder(commands.filter((command) => !outcomes.has(command.paymentId)));
    const layouts = await rowLayouts.get();
    const done = unitOfWork.twoTrips(loadStatements(sql, layouts, toTake), ([taken, locked]) => {
      onLocked?.(lockWaits(locked!));
      const fresh = new Set(taken!.map(([paymentId]) => paymentId as string));
      const now = new Date(locked!.reduce((latest, [ms]) => Math.max(latest, Number(ms)), 0));
      databaseClock.observe(now.getTime());
      const posting = startPosting(locked!.filter(([, id]) => id !== null).map(toAccountState));
      decideUnits(units, posting, now, fresh, outcomes);
      const unused = toTake.filter(
        ({ paymentId }) => fresh.has(paymentId) && outcomes.get(paymentId)?.kind !== "stored",
      );
      return posting.payments.length > 0 ? writeStatements(layouts, posting, unused) : [];
    });
    await done.catch((error: unknown) => {
      if (isLayoutError(error)) rowLayouts.forget();
      throw error;
    });
    const replays = commands.filter((command) => !outcomes.has(command.paymentId));
    if (replays.length > 0) await findReplays(replays, outcomes);
    return units.map((unit) =>
      unit.commands.map(({ paymentId }) => outcomes.get(paymentId) ?? { kind: "again" }),
    );
  };

  function writeStatements(
    layouts: Layouts,
    posting: Posting,
    unused: readonly PaymentCommand[],
  ): Statement[] {
    const values = sql.writeValues(layouts, {
      accounts: [...posting.touched].map((id) => posting.accounts.get(id)!),
      payments: posting.payments,
      entries: posting.entries,
      events: posting.changes.map((change) => toEventRow(change, deps.encodeEvent)),
    });
    const statements: Statement[] = [{ name: "ledger-write", text: sql.write, values }];
    if (unused.length > 0) {
      const freeKeys = { name: "ledger-free-keys", text: sql.deleteKeys };
      statements.push({ ...freeKeys, values: sql.deleteKeysValues(unused) });
    }
    return statements;
  }
}

function loadStatements(
  sql: BatchSql,
  layouts: Layouts,
  commands: readonly PaymentCommand[],
): Statement[] {
  const keys = commands.map((command) => ({ ...command, key: command.idempotencyKey }));
  return [
    { name: "ledger-keys", text: sql.insertKeys, values: sql.keyValues(layouts, keys) },
    {
      name: "ledger-load",
      text: sql.loadAccounts,
      values: [encodeUuids(new Set(commands.flatMap(accountsOf)))],
    },
  ];
}

/** The first command of each key, in the order in which every batch takes its keys. */
function inKeyOrder(commands: readonly PaymentCommand[]): PaymentCommand[] {
  const byKey = new Map<string, PaymentCommand>();
  for (const command of commands) {
    const key = keyName(command.ownerId, command.idempotencyKey);
    if (!byKey.has(key)) byKey.set(key, command);
  }
  return [...byKey.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, first]) => first);
}

/** A row of `loadAccounts`, without the clock. */
function toAccountState(row: unknown[]): AccountState {
  const [, id, ownerId, currencyCode, posted, held, mode, limit, status, version, sequence, time] =
    row as string[];
  return {
    id: id!,
    ownerId: ownerId!,
    currencyCode: currencyCode!,
    postedMinor: BigInt(posted!),
    heldMinor: BigInt(held!),
    overdraftMode: mode as AccountState["overdraftMode"],
    overdraftLimitMinor: BigInt(limit!),
    status: status as AccountState["status"],
    version: Number(version),
    entrySequence: Number(sequence),
    updateTime: new Date(Number(time)),
  };
}

function toEventRow(change: PaymentChange, encode: CommitBatchDeps["encodeEvent"]) {
  const eventId = uuidv7(change.occurTime.getTime());
  return {
    paymentId: change.payment.id,
    sequence: change.payment.sequence,
    createTime: change.occurTime,
    eventId,
    shard: shardOf(change.payment.id),
    payload: encode(eventId, change),
  };
}
