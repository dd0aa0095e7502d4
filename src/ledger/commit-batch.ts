import type { MikroORM } from "@mikro-orm/postgresql";
import type { AccountState } from "../accounts/account.ts";
import type { DatabaseClock } from "../kernel/clock.ts";
import { ServiceError } from "../kernel/errors.ts";
import { uuidv7 } from "../kernel/ids.ts";
import type { PaymentRow } from "../payments/payment.entity.ts";
import type { PaymentCommand } from "../payments/payment-command.ts";
import type { Statement, UnitOfWork, Writes } from "../platform/unit-of-work.ts";
import { createBatchSql, type BatchSql, type Guards } from "./batch-sql.ts";
import { decidePayment, startPosting, type PaymentChange, type Posting } from "./posting.ts";
import { createReplays } from "./replays.ts";

/** What became of one command of a batch. */
export type CommitOutcome =
  | { readonly kind: "stored"; readonly payment: PaymentRow; readonly replayed: boolean }
  /** The call is refused; nothing was written and the key is free. */
  | { readonly kind: "refused"; readonly error: ServiceError }
  /** Somebody else had the key and gave it back: the command has to be run again. */
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

/** Commits all commands in one transaction; an outcome for each, in order. */
export type CommitBatch = (commands: readonly PaymentCommand[]) => Promise<CommitOutcome[]>;

/**
 * Makes the one transaction that moves money:
 *
 * 1. BEGIN; take the idempotency keys in order (waiting for whoever has one); lock the accounts in
 *    id order; read the clock. A crash from here on leaves nothing.
 * 2. Decide each payment in memory, in arrival order.
 * 3. Write payments, entries, balances (each with its version) and events in one statement;
 *    COMMIT. A crash after it leaves everything; who asks with the key again is told.
 * 4. Keys that were taken before: read what is stored for them.
 *
 * Throws what PostgreSQL throws, with nothing written; after a lost connection during COMMIT that
 * is unknown, and running the same commands again finds out.
 */
export function createCommitBatch(deps: CommitBatchDeps): CommitBatch {
  const { unitOfWork, databaseClock } = deps;
  const sql = createBatchSql(deps.orm, deps.guards ?? { rowLocks: true, versionCheck: true });
  const findReplays = createReplays(deps.orm);

  return async (commands) => {
    const firsts = firstOfEachKey(commands);
    const { outcomes } = await unitOfWork.twoTrips(loadStatements(sql, firsts), (rows) => {
      const fresh = new Set(rows[0]!.map(([paymentId]) => paymentId as string));
      const now = new Date(Number(rows[2]![0]![0]));
      databaseClock.observe(now.getTime());
      const posting = startPosting(rows[1]!.map(toAccountState));
      return decideAll(
        commands.filter((command) => fresh.has(command.paymentId)),
        posting,
        now,
      );
    });
    const replays = commands.filter((command) => !outcomes.has(command));
    if (replays.length > 0) {
      for (const [command, outcome] of await findReplays(replays)) outcomes.set(command, outcome);
    }
    return commands.map((command) => outcomes.get(command)!);
  };

  function decideAll(commands: readonly PaymentCommand[], posting: Posting, now: Date) {
    const outcomes = new Map<PaymentCommand, CommitOutcome>();
    const refused: PaymentCommand[] = [];
    for (const command of commands) {
      try {
        const payment = decidePayment(posting, command, now);
        outcomes.set(command, { kind: "stored", payment, replayed: false });
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        outcomes.set(command, { kind: "refused", error });
        refused.push(command);
      }
    }
    const writes: Writes<{ outcomes: typeof outcomes }> = {
      statements: posting.payments.length > 0 ? writeStatements(posting, refused) : [],
      result: { outcomes },
    };
    return writes;
  }

  function writeStatements(posting: Posting, refused: readonly PaymentCommand[]): Statement[] {
    const values = sql.writeValues({
      accounts: [...posting.touched].map((id) => posting.accounts.get(id)!),
      payments: posting.payments,
      entries: posting.entries,
      events: posting.changes.map((change) => toEventRow(change, deps.encodeEvent)),
    });
    const statements: Statement[] = [{ name: "ledger-write", text: sql.write, values }];
    if (refused.length > 0) {
      statements.push({
        name: "ledger-free-keys",
        text: sql.deleteKeys,
        values: [
          refused.map((command) => command.paymentId),
          refused.map((command) => command.ownerId),
          refused.map((command) => command.idempotencyKey),
        ],
      });
    }
    return statements;
  }
}

function loadStatements(sql: BatchSql, commands: readonly PaymentCommand[]): Statement[] {
  const keys = commands.map((command) => ({ ...command, key: command.idempotencyKey }));
  const accountIds = commands.flatMap(({ request }) => [
    request.debtorAccountId,
    request.creditorAccountId,
  ]);
  return [
    { name: "ledger-keys", text: sql.insertKeys.text, values: sql.insertKeys.values(keys) },
    { name: "ledger-load", text: sql.loadAccounts, values: [[...new Set(accountIds)]] },
    {
      name: "ledger-clock",
      text: "select (extract(epoch from clock_timestamp()) * 1000)::bigint",
      values: [],
    },
  ];
}

/** One command of each key, in the order in which every batch takes its keys. */
function firstOfEachKey(commands: readonly PaymentCommand[]): PaymentCommand[] {
  const byKey = new Map<string, PaymentCommand>();
  for (const command of commands) {
    const key = `${command.ownerId}\n${command.idempotencyKey}`;
    if (!byKey.has(key)) byKey.set(key, command);
  }
  return [...byKey.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, first]) => first);
}

/** A row of `loadAccounts`, whose columns are those of `LOADED_ACCOUNT`. */
function toAccountState(row: unknown[]): AccountState {
  const [id, ownerId, currencyCode, posted, held, mode, limit, status, version, sequence, time] =
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

/** The shard of a payment's events: its id's last byte modulo 64. Never to be changed. */
export function shardOf(paymentId: string): number {
  return Number.parseInt(paymentId.slice(-2), 16) & 63;
}
