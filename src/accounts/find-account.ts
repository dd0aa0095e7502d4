import type { EntityManager, MikroORM } from "@mikro-orm/postgresql";
import type { Call } from "../kernel/call.ts";
import type { DatabaseClock } from "../kernel/clock.ts";
import { invalidField, ServiceError } from "../kernel/errors.ts";
import { cutPage, decodePageToken, pageLimit } from "../kernel/page.ts";
import { ownedBy, type Principal } from "../kernel/principal.ts";
import { EntryEntity } from "../ledger/entry.entity.ts";
import { AccountEntity, type AccountRow } from "./account.entity.ts";
import { availableMinor, type AccountStatus } from "./account.ts";

/** An account's balance at a moment, in minor units. */
export interface Balance {
  readonly accountId: string;
  readonly currencyCode: string;
  readonly postedMinor: bigint;
  readonly heldMinor: bigint;
  readonly availableMinor: bigint;
  /** 0 for a past moment. */
  readonly version: number;
  readonly entrySequence: number;
  readonly asOfTime: Date;
}

/** Which accounts to list, by id. */
export interface ListAccounts {
  readonly ownerId: string | undefined;
  readonly status: AccountStatus | undefined;
  readonly pageSize: number;
  readonly pageToken: string;
}

/** A page of accounts; the token is empty on the last one. */
export interface AccountPage {
  readonly accounts: AccountRow[];
  readonly nextPageToken: string;
}

/** The reads of accounts. */
export interface FindAccount {
  /** Throws ACCOUNT_NOT_FOUND if it isn't there or isn't the caller's. */
  get(call: Call, accountId: string): Promise<AccountRow>;
  /** Throws INVALID_PAGE_TOKEN. Of another owner the caller sees nothing. */
  list(call: Call, query: ListAccounts): Promise<AccountPage>;
  /** The balance now or at `readTime`. Throws ACCOUNT_NOT_FOUND, INVALID_FIELD for a future time. */
  balance(call: Call, accountId: string, readTime: Date | undefined): Promise<Balance>;
}

/** Makes the reads of accounts. */
export function createFindAccount(deps: {
  readonly orm: MikroORM;
  readonly databaseClock: DatabaseClock;
}): FindAccount {
  return {
    get: ({ principal }, accountId) => findVisible(deps.orm.em.fork(), principal, accountId),

    async list({ principal }, query) {
      const { pageSize, pageToken, ...filters } = query;
      const boundTo = ["ListAccounts", principal.ownerId, filters];
      const [after] = decodePageToken(boundTo, pageToken) ?? [];
      const limit = pageLimit(pageSize);
      const found = await deps.orm.em.fork().find(
        AccountEntity,
        {
          $and: [
            filters.ownerId ? { ownerId: filters.ownerId } : {},
            ownedBy(principal),
            filters.status ? { status: filters.status } : {},
            after ? { id: { $gt: after } } : {},
          ],
        },
        { orderBy: { id: "asc" }, limit: limit + 1 },
      );
      const { rows: accounts, nextPageToken } = cutPage(found, limit, boundTo, ({ id }) => [id]);
      return { accounts, nextPageToken };
    },

    async balance({ principal }, accountId, readTime) {
      const em = deps.orm.em.fork();
      const account = await findVisible(em, principal, accountId);
      const now = new Date(deps.databaseClock.now());
      if (!readTime) return { ...balanceOf(account), asOfTime: now };
      if (readTime > now) throw invalidField("read_time", "must not be in the future");
      return pastBalance(em, account, readTime);
    },
  };
}

/** The caller's account; throws ACCOUNT_NOT_FOUND for any other id. */
export async function findVisible(
  em: EntityManager,
  principal: Principal,
  id: string,
): Promise<AccountRow> {
  const account = await em.findOne(AccountEntity, { id, ...ownedBy(principal) });
  if (!account) throw new ServiceError("ACCOUNT_NOT_FOUND");
  return account;
}

function balanceOf(account: AccountRow): Omit<Balance, "asOfTime"> {
  return {
    accountId: account.id,
    currencyCode: account.currencyCode,
    postedMinor: account.postedMinor,
    heldMinor: account.heldMinor,
    availableMinor: availableMinor(account),
    version: account.version,
    entrySequence: account.entrySequence,
  };
}

/** The balance after the last entry at the moment or before: one look-up in the primary key. */
async function pastBalance(em: EntityManager, account: AccountRow, at: Date): Promise<Balance> {
  const last = await em.findOne(
    EntryEntity,
    { accountId: account.id, createTime: { $lte: at } },
    { orderBy: { createTime: "desc", entrySequence: "desc" } },
  );
  const postedMinor = last?.balanceAfterMinor ?? 0n;
  return {
    accountId: account.id,
    currencyCode: account.currencyCode,
    postedMinor,
    heldMinor: 0n,
    availableMinor: postedMinor + account.overdraftLimitMinor,
    version: 0,
    entrySequence: last?.entrySequence ?? 0,
    asOfTime: at,
  };
}
