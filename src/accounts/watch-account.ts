import { createWatch, type News, type Watch } from "../events/watch.ts";
import type { Call } from "../kernel/call.ts";
import type { Clock } from "../kernel/clock.ts";
import { invalidField, ServiceError } from "../kernel/errors.ts";
import { isAdmin } from "../kernel/principal.ts";
import { inTurns } from "../kernel/turns.ts";
import type { EntryRow } from "../ledger/entry.entity.ts";
import type { Database } from "../platform/database.ts";
import type { Logger } from "../platform/logger.ts";
import { availableMinor } from "./account.ts";
import type { Balance } from "./find-account.ts";

/** Which account to follow, and from where on. */
export interface WatchAccount {
  readonly accountId: string;
  /** Undefined: from the balance as it is on. */
  readonly afterSequence: number | undefined;
}

/** What a watcher of an account hears: undefined is a heartbeat. */
export type AccountNews =
  | {
      /** What was booked; undefined if it was something else that changed. */
      readonly entry: EntryRow | undefined;
      readonly balance: Balance;
    }
  | undefined;

/**
 * Follows an account until the signal is aborted, and then throws its reason. Throws
 * ACCOUNT_NOT_FOUND if it isn't the caller's, INVALID_FIELD for a sequence that it hasn't reached.
 */
export type WatchAccountUseCase = (
  call: Call,
  request: WatchAccount,
  signal: AbortSignal,
) => AsyncIterable<AccountNews>;

interface Place {
  /** Of the account, when all of its entries were known; 0: never. */
  readonly version: number;
  /** Of the last entry that is known. */
  readonly sequence: number;
  /** No later entry was booked before, in ms since 1970. */
  readonly timeMs: number;
}

interface Changes extends News {
  readonly balance: Balance;
  readonly entries: readonly EntryRow[];
  /** Where these lead to. */
  readonly place: Place;
}

/** Entries of one account that one look brings at most. */
const PAGE = 256;
/** No entry is above it: for a look at the balance alone. */
const NO_ENTRIES = Number.MAX_SAFE_INTEGER;

/** An account by its id, and only of one that has changed the entries, in one snapshot with it. */
const LOOK = `
  select w.n::int, a.currency_code, a.posted_minor, a.held_minor, a.overdraft_limit_minor,
    a.version, a.entry_sequence as latest,
    (extract(epoch from a.update_time) * 1000)::float8 as update_ms,
    (extract(epoch from statement_timestamp()) * 1000)::float8 as now_ms,
    e.entry_sequence, e.payment_id, e.counterparty_account_id, e.amount_minor,
    e.balance_after_minor, (extract(epoch from e.create_time) * 1000)::float8 as create_ms
  from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::float8[])
    with ordinality as w(id, version, after, from_ms, n)
  join account a on a.id = w.id and a.version > w.version
  left join lateral (
    select * from entry
    where account_id = w.id and entry_sequence > w.after
      and create_time >= to_timestamp(w.from_ms / 1000)
    order by entry_sequence limit ${PAGE}) e on true`;

/** What has to be known of accounts before they're watched; those of many callers at once. */
const FIND = `
  select id, owner_id, entry_sequence from account where id = any($1::uuid[])`;

interface FoundAccount {
  readonly id: string;
  readonly owner_id: string;
  readonly entry_sequence: string;
}

/** Numbers of 64 bits come as texts. */
interface LookRow {
  readonly n: number;
  readonly currency_code: string;
  readonly posted_minor: string;
  readonly held_minor: string;
  readonly overdraft_limit_minor: string;
  readonly version: string;
  readonly latest: string;
  readonly update_ms: number;
  readonly now_ms: number;
  /** Null, with the rest of the entry, if there is none. */
  readonly entry_sequence: string | null;
  readonly payment_id: string;
  readonly counterparty_account_id: string;
  readonly amount_minor: string;
  readonly balance_after_minor: string;
  readonly create_ms: number;
}

function createAccountWatch(deps: AccountWatcherDeps): Watch<Place, Changes> {
  const { watchPool } = deps.database;
  return createWatch({
    ...deps,
    keyOf: ({ version, sequence }) => `${version} ${sequence}`,
    async look(questions) {
      const places = questions.map(({ place }) => place);
      const { rows } = await watchPool.query<LookRow>({
        name: "watch-accounts",
        text: LOOK,
        values: [
          `{${questions.map(({ id }) => id).join(",")}}`,
          `{${places.map(({ version }) => version).join(",")}}`,
          `{${places.map(({ sequence }) => sequence).join(",")}}`,
          `{${places.map(({ timeMs }) => timeMs).join(",")}}`,
        ],
      });
      const answers = new Map<number, Changes>();
      for (const [n, found] of Map.groupBy(rows, (row) => row.n)) {
        const { id, place } = questions[n - 1]!;
        answers.set(n - 1, toChanges(id, place, found));
      }
      return answers;
    },
  });
}

function toChanges(accountId: string, before: Place, rows: readonly LookRow[]): Changes {
  const [account] = rows as [LookRow];
  const entries = rows
    .filter((row) => row.entry_sequence !== null)
    .map((row) => toEntry(accountId, row))
    .toSorted((a, b) => a.entrySequence - b.entrySequence);
  const balance = toBalance(accountId, account);
  const last = entries.at(-1);
  const sequence = last?.entrySequence ?? balance.entrySequence;
  const hasMore = sequence < balance.entrySequence;
  const place = hasMore
    ? { version: before.version, sequence, timeMs: last?.createTime.getTime() ?? before.timeMs }
    : { version: balance.version, sequence, timeMs: account.update_ms };
  return { balance, entries, hasMore, place };
}

function toEntry(accountId: string, row: LookRow): EntryRow {
  return {
    accountId,
    createTime: new Date(row.create_ms),
    entrySequence: Number(row.entry_sequence),
    paymentId: row.payment_id,
    counterpartyAccountId: row.counterparty_account_id,
    amountMinor: BigInt(row.amount_minor),
    balanceAfterMinor: BigInt(row.balance_after_minor),
  };
}

function toBalance(accountId: string, row: LookRow): Balance {
  const minor = {
    postedMinor: BigInt(row.posted_minor),
    heldMinor: BigInt(row.held_minor),
    overdraftLimitMinor: BigInt(row.overdraft_limit_minor),
  };
  return {
    accountId,
    currencyCode: row.currency_code,
    postedMinor: minor.postedMinor,
    heldMinor: minor.heldMinor,
    availableMinor: availableMinor(minor),
    version: Number(row.version),
    entrySequence: Number(row.latest),
    asOfTime: new Date(row.now_ms),
  };
}

/** What watchers of accounts need; `heartbeatMs` is for tests. */
export interface AccountWatcherDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly heartbeatMs?: number;
}

/** The watchers of accounts in this process. */
export interface AccountWatchers {
  readonly watchAccount: WatchAccountUseCase;
  /** Tells that these accounts were changed in this process. */
  readonly wakeAccounts: (accountIds: Iterable<string>) => void;
}

/** Makes the use case. */
export function createAccountWatchers(deps: AccountWatcherDeps): AccountWatchers {
  const accountWatch = createAccountWatch(deps);

  const find = inTurns<FoundAccount>(async (ids) => {
    const query = { name: "watch-find-accounts", text: FIND, values: [`{${ids.join(",")}}`] };
    const { rows } = await deps.database.watchPool.query<FoundAccount>(query);
    return new Map(rows.map((row) => [row.id, row]));
  });

  /** Where a watcher begins. */
  async function startOf({ principal }: Call, request: WatchAccount): Promise<Place> {
    const { accountId, afterSequence } = request;
    const found = await find(accountId);
    if (!found || !(isAdmin(principal) || found.owner_id === principal.ownerId)) {
      throw new ServiceError("ACCOUNT_NOT_FOUND");
    }
    if (afterSequence !== undefined && afterSequence > Number(found.entry_sequence)) {
      throw invalidField("after_sequence", `is above the account's, ${found.entry_sequence}`);
    }
    return { version: 0, sequence: afterSequence ?? NO_ENTRIES, timeMs: 0 };
  }

  async function* watchAccount(
    call: Call,
    request: WatchAccount,
    signal: AbortSignal,
  ): AsyncGenerator<AccountNews> {
    let place = await startOf(call, request);
    const watcher = accountWatch.open(request.accountId, signal);
    for (;;) {
      const changes = await watcher.next(place);
      if (changes === undefined) {
        yield undefined;
        continue;
      }
      const { entries, balance } = changes;
      if (entries.length === 0) yield { entry: undefined, balance };
      for (const entry of entries) yield { entry, balance };
      ({ place } = changes);
    }
  }

  return { watchAccount, wakeAccounts: (ids) => accountWatch.wake(ids) };
}
