import type { MikroORM } from "@mikro-orm/postgresql";
import type { AccountState } from "../accounts/account.ts";
import { shardOf } from "../events/shard.ts";
import type { DatabaseClock } from "../kernel/clock.ts";
import type { ServiceError } from "../kernel/errors.ts";
import { uuidv7 } from "../kernel/ids.ts";
import {
  accountsOf,
  isToldByPayment,
  keyName,
  type CommandUnit,
  type KeyedCommand,
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
 * 2. BEGIN; take the idempotency keys in order (waiting for whoever has one); lock the payments
 *    that commands are about, then the accounts, each in id order; read the clock. A crash from
 *    here on leaves nothing.
 * 3. Decide each command in memory, in arrival order.
 * 4. Write payments, entries, balances (each with its version) and events in one statement, and
 *    what changed of payments that were there (each with its sequence) in another; COMMIT. A crash
 *    after it leaves everything; who asks with the key again is told.
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
    if (atomic.length > 0) await findReplays(atomic.filter(isKeyed), outcomes);
    const commands = units.flatMap((unit) => unit.commands);
    const pending = commands.filter((command) => !outcomes.has(command.id));
    const toTake = inKeyOrder(pending.filter(isKeyed));
    const layouts = await rowLayouts.get();
    const load = loadStatements(sql, layouts, pending, toTake);
    const done = unitOfWork.twoTrips(load, (rows) => {
      // Keys, payments if there are commands on them, accounts.
      const [taken, locked] = [rows[0]!, rows.at(-1)!];
      onLocked?.(lockWaits(locked));
      const payments = rows.length === 3 ? rows[1]! : [];
      const fresh = new Set(taken.map(([id]) => id as string));
      for (const command of pending) if (!isKeyed(command)) fresh.add(command.id);
      const now = new Date(locked.reduce((latest, [ms]) => Math.max(latest, Number(ms)), 0));
      databaseClock.observe(now.getTime());
      const accounts = locked.filter(([, id]) => id !== null).map(toAccountState);
      const posting = startPosting(
        accounts,
        payments.map((row) => sql.toPayment(row)),
      );
      decideUnits(units, posting, now, fresh, outcomes);
      const unused = toTake.filter(
        ({ id }) => fresh.has(id) && outcomes.get(id)?.kind !== "stored",
      );
      return posting.changes.length > 0 ? writeStatements(layouts, posting, unused) : [];
    });
    await done.catch((error: unknown) => {
      if (isLayoutError(error)) rowLayouts.forget();
      throw error;
    });
    refuseRepetitions(units, toTake, outcomes);
    const replays = commands.filter((command) => !outcomes.has(command.id));
    if (replays.length > 0) await findReplays(replays.filter(isKeyed), outcomes);
    return units.map((unit) =>
      unit.commands.map(({ id }) => outcomes.get(id) ?? { kind: "again" }),
    );
  };

  function writeStatements(
    layouts: Layouts,
    posting: Posting,
    unused: readonly KeyedCommand[],
  ): Statement[] {
    const values = sql.writeValues(layouts, {
      accounts: [...posting.touched].map((id) => posting.accounts.get(id)!),
      payments: posting.payments,
      entries: posting.entries,
      events: posting.changes.map((change) => toEventRow(change, deps.encodeEvent)),
    });
    const statements: Statement[] = [{ name: "ledger-write", text: sql.write, values }];
    if (posting.readSequences.size > 0) {
      const changed = [...posting.readSequences].map(([id, readSequence]) => ({
        payment: posting.existing.get(id)!,
        readSequence,
      }));
      const update = { name: "ledger-update", text: sql.updatePayments };
      statements.push({ ...update, values: sql.updatePaymentsValues(layouts, changed) });
    }
    if (unused.length > 0) {
      const freeKeys = { name: "ledger-free-keys", text: sql.deleteKeys };
      statements.push({ ...freeKeys, values: sql.deleteKeysValues(unused) });
    }
    return statements;
  }
}

function isKeyed(command: PaymentCommand): command is KeyedCommand {
  return command.kind !== "due";
}

/** What the first round trip does, in the order of locks; payments only if commands are on them. */
function loadStatements(
  sql: BatchSql,
  layouts: Layouts,
  commands: readonly PaymentCommand[],
  toTake: readonly KeyedCommand[],
): Statement[] {
  const targets = commands.flatMap((command) => (command.kind === "create" ? [] : command.target));
  const keyValues = sql.keyValues(layouts, toTake.map(toKeyRow));
  const keys = { name: "ledger-keys", text: sql.insertKeys, values: keyValues };
  const values = [encodeUuids(new Set(commands.flatMap(accountsOf)))];
  const load = { name: "ledger-load", text: sql.loadAccounts, values };
  if (targets.length === 0) return [keys, load];
  const ids = [targets.map(({ createTime }) => createTime), targets.map(({ id }) => id)];
  return [keys, { name: "ledger-payments", text: sql.loadPayments, values: ids }, load];
}

function toKeyRow(command: KeyedCommand) {
  const { ownerId, idempotencyKey: key, requestDigest, id, createTime } = command;
  const request = isToldByPayment(command) ? null : command.asked;
  const row = { ownerId, key, requestDigest, request };
  if (command.kind === "create") return { ...row, paymentId: id, createTime, commandId: null };
  const { target } = command;
  return { ...row, paymentId: target.id, createTime: target.createTime, commandId: id };
}

/** The first command of each key, in the order in which every batch takes its keys. */
function inKeyOrder(commands: readonly KeyedCommand[]): KeyedCommand[] {
  const byKey = new Map<string, KeyedCommand>();
  for (const command of commands) {
    const key = keyName(command.ownerId, command.idempotencyKey);
    if (!byKey.has(key)) byKey.set(key, command);
  }
  return [...byKey.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, first]) => first);
}

/**
 * Says of a request that was refused the same to those that repeat it in this batch: run again,
 * each would cost a transaction to hear it. What an atomic batch is told isn't about one request.
 */
function refuseRepetitions(
  units: readonly CommandUnit[],
  taken: readonly KeyedCommand[],
  outcomes: Outcomes,
): void {
  if (!taken.some(({ id }) => outcomes.get(id)?.kind === "refused")) return;
  const takenIds = new Set(taken.map(({ id }) => id));
  const name = ({ ownerId, idempotencyKey }: KeyedCommand) => keyName(ownerId, idempotencyKey);
  const commands = units.flatMap((unit) => (unit.atomic ? [] : unit.commands)).filter(isKeyed);
  const first = new Map(
    commands.filter(({ id }) => takenIds.has(id)).map((command) => [name(command), command]),
  );
  for (const command of commands) {
    const same = first.get(name(command));
    if (same === undefined || outcomes.has(command.id) || !isRepetition(command, same)) continue;
    const outcome = outcomes.get(same.id);
    if (outcome?.kind === "refused") outcomes.set(command.id, outcome);
  }
}

function isRepetition(command: KeyedCommand, first: KeyedCommand): boolean {
  return command.isAdmin === first.isAdmin && command.requestDigest.equals(first.requestDigest);
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
    traceparent: change.traceparent,
  };
}
