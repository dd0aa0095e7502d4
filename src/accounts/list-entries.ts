import type { EntityManager, FilterQuery, MikroORM } from "@mikro-orm/postgresql";
import type { Call } from "../kernel/call.ts";
import { invalidField } from "../kernel/errors.ts";
import { cutPage, decodePageToken, pageLimit } from "../kernel/page.ts";
import { EntryEntity, type EntryRow } from "../ledger/entry.entity.ts";
import { findVisible } from "./find-account.ts";

/** Which part of an account's statement, the oldest entry first. */
export interface ListEntries {
  readonly accountId: string;
  /** Only entries above this sequence; 0: all. */
  readonly afterSequence: number;
  readonly startTime: Date | undefined;
  readonly endTime: Date | undefined;
  readonly pageSize: number;
  readonly pageToken: string;
}

/** A page of a statement: the balances are those around its entries, in minor units. */
export interface EntryPage {
  readonly entries: EntryRow[];
  readonly openingBalanceMinor: bigint;
  readonly closingBalanceMinor: bigint;
  readonly nextPageToken: string;
}

/** Reads an account's statement. */
export type ListEntriesUseCase = (call: Call, query: ListEntries) => Promise<EntryPage>;

type Place = Pick<EntryRow, "createTime" | "entrySequence">;

/**
 * Reads one page of a statement by the primary key, beginning in the partition of the entry before
 * the page. Throws ACCOUNT_NOT_FOUND, INVALID_FIELD for sequence together with times,
 * INVALID_PAGE_TOKEN.
 */
export function createListEntries(deps: { readonly orm: MikroORM }): ListEntriesUseCase {
  return async ({ principal }, query) => {
    if (query.afterSequence > 0 && (query.startTime ?? query.endTime)) {
      throw invalidField("after_sequence", "is not for use with start_time and end_time");
    }
    const em = deps.orm.em.fork();
    await findVisible(em, principal, query.accountId);
    const { pageSize, pageToken, ...filters } = query;
    const boundTo = ["ListEntries", principal.ownerId, filters];
    const [time, sequence] = decodePageToken(boundTo, pageToken) ?? [];
    const before =
      time && sequence
        ? await entryAt(em, query.accountId, Number(sequence), new Date(time))
        : await entryBefore(em, query);
    const limit = pageLimit(pageSize);
    const found = await em.find(EntryEntity, pageFilter(query, before), {
      orderBy: { createTime: "asc", entrySequence: "asc" },
      limit: limit + 1,
    });
    const { rows: entries, nextPageToken } = cutPage(found, limit, boundTo, cursorOf);
    const opening = before?.balanceAfterMinor ?? 0n;
    return {
      entries,
      openingBalanceMinor: opening,
      closingBalanceMinor: entries.at(-1)?.balanceAfterMinor ?? opening,
      nextPageToken,
    };
  };
}

function cursorOf({ createTime, entrySequence }: Place): string[] {
  return [createTime.toISOString(), String(entrySequence)];
}

/** The entry right before a first page: the last one up to the sequence or before the time. */
async function entryBefore(em: EntityManager, query: ListEntries): Promise<EntryRow | undefined> {
  const { accountId, afterSequence, startTime } = query;
  if (afterSequence === 0 && !startTime) return undefined;
  const found = await em.findOne(
    EntryEntity,
    startTime
      ? { accountId, createTime: { $lt: startTime } }
      : { accountId, entrySequence: { $lte: afterSequence } },
    {
      orderBy: startTime
        ? { createTime: "desc", entrySequence: "desc" }
        : { entrySequence: "desc" },
    },
  );
  return found ?? undefined;
}

async function entryAt(
  em: EntityManager,
  accountId: string,
  entrySequence: number,
  createTime: Date,
): Promise<EntryRow | undefined> {
  return (await em.findOne(EntryEntity, { accountId, createTime, entrySequence })) ?? undefined;
}

function pageFilter(query: ListEntries, before: Place | undefined): FilterQuery<EntryRow> {
  return {
    $and: [
      { accountId: query.accountId },
      query.startTime ? { createTime: { $gte: query.startTime } } : {},
      query.endTime ? { createTime: { $lt: query.endTime } } : {},
      before ? { createTime: { $gte: before.createTime } } : {},
      { entrySequence: { $gt: before?.entrySequence ?? 0 } },
    ],
  };
}
