import { beforeAll, describe, expect, test } from "vitest";
import type { ListEntries } from "../../src/accounts/list-entries.ts";
import type { EntryRow } from "../../src/ledger/entry.entity.ts";
import { callAs } from "../support/ledger.ts";
import { installTestClock, travelTo } from "../support/test-clock.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();

/** Around the ends of months and of a year, each in another partition than the one before. */
const MOMENTS = [
  "2025-11-30T23:59:59Z",
  "2025-12-01T00:00:00Z",
  "2025-12-31T23:59:58Z",
  "2026-01-15T12:00:00Z",
];

let accountId: string;
let all: EntryRow[];

beforeAll(async () => {
  await installTestClock(used.url);
  await travelTo(used, new Date(MOMENTS[0]!));
  const alice = await used.ledger.open();
  const bank = await used.ledger.open({ ownerId: "bank", overdraftMode: "UNBOUNDED" });
  accountId = alice.id;
  for (const moment of MOMENTS) {
    await travelTo(used, new Date(moment));
    // Three payments of one batch, so in one millisecond: 500 in, 200 out, 50 out.
    const to = { debtorAccountId: bank.id, creditorAccountId: alice.id };
    const from = { debtorAccountId: alice.id, creditorAccountId: bank.id };
    await used.ledger.payTogether([
      { ...to, amountMinor: 500n },
      { ...from, amountMinor: 200n },
      { ...from, amountMinor: 50n },
    ]);
  }
  await travelTo(used, new Date());
  all = (await list()).entries;
});

function list(query: Partial<ListEntries> = {}, owner = "alice") {
  return used.ledger.listEntries(callAs(owner), {
    accountId,
    afterSequence: 0,
    startTime: undefined,
    endTime: undefined,
    pageSize: 0,
    pageToken: "",
    ...query,
  });
}

function at(readTime: Date | undefined) {
  return used.ledger.findAccount.balance(callAs("alice"), accountId, readTime);
}

/** Sequences and the balances around them. */
async function summary(query: Partial<ListEntries>) {
  const page = await list(query);
  const sequences = page.entries.map((entry) => entry.entrySequence);
  return [sequences, page.openingBalanceMinor, page.closingBalanceMinor];
}

describe("A statement", () => {
  test("has every entry in order, with the balances before and after them", async () => {
    const page = await list();
    expect(page.entries.map((entry) => entry.entrySequence)).toEqual(
      Array.from({ length: 12 }, (_, i) => i + 1),
    );
    expect(page.entries.map((entry) => entry.balanceAfterMinor).slice(0, 4)).toEqual([
      500n,
      300n,
      250n,
      750n,
    ]);
    expect(page).toMatchObject({
      openingBalanceMinor: 0n,
      closingBalanceMinor: 1_000n,
      nextPageToken: "",
    });
    const months = new Set(page.entries.map((entry) => entry.createTime.toISOString().slice(0, 7)));
    expect([...months]).toEqual(["2025-11", "2025-12", "2026-01"]);
  });

  test.each([1, 2, 5, 12])(
    "comes whole in pages of %i, each from the balance before",
    async (pageSize) => {
      const seen: EntryRow[] = [];
      let balance = 0n;
      let pageToken = "";
      do {
        const page = await list({ pageSize, pageToken });
        expect(page.openingBalanceMinor).toBe(balance);
        balance = page.closingBalanceMinor;
        seen.push(...page.entries);
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      expect(seen).toEqual(all);
      expect(balance).toBe(1_000n);
    },
  );

  test("of a time has the entries from its start up to before its end", async () => {
    const [startTime, endTime] = [all[3]!.createTime, all[9]!.createTime];
    expect(await summary({ startTime, endTime })).toEqual([[4, 5, 6, 7, 8, 9], 250n, 750n]);
    expect(await summary({ startTime })).toEqual([[4, 5, 6, 7, 8, 9, 10, 11, 12], 250n, 1_000n]);
    expect(await summary({ endTime: startTime })).toEqual([[1, 2, 3], 0n, 250n]);
    const later = new Date(startTime.getTime() + 1);
    expect(await summary({ startTime: later, endTime })).toEqual([[7, 8, 9], 500n, 750n]);
  });

  test("of a time in pages keeps to its end", async () => {
    const range = { startTime: all[3]!.createTime, endTime: all[9]!.createTime, pageSize: 4 };
    const first = await list(range);
    expect(await summary({ ...range, pageToken: first.nextPageToken })).toEqual([
      [8, 9],
      1_000n,
      750n,
    ]);
  });

  test("of a time without entries has the balance of that time twice", async () => {
    const quiet = { startTime: new Date("2025-12-10"), endTime: new Date("2025-12-20") };
    expect(await summary(quiet)).toEqual([[], 500n, 500n]);
    expect(await summary({ startTime: new Date("2026-01-20") })).toEqual([[], 1_000n, 1_000n]);
    expect(await summary({ endTime: new Date("2025-11-01") })).toEqual([[], 0n, 0n]);
  });

  test("after a sequence has the entries above it", async () => {
    expect(await summary({ afterSequence: 7 })).toEqual([[8, 9, 10, 11, 12], 1_000n, 1_000n]);
    expect(await summary({ afterSequence: 7, pageSize: 2 })).toEqual([[8, 9], 1_000n, 750n]);
    expect(await summary({ afterSequence: 12 })).toEqual([[], 1_000n, 1_000n]);
    expect(await summary({ afterSequence: 99 })).toEqual([[], 1_000n, 1_000n]);
  });

  test("of an account without entries is empty", async () => {
    const { id } = await used.ledger.open();
    expect(await summary({ accountId: id })).toEqual([[], 0n, 0n]);
  });

  test("isn't asked for by sequence and time at once", async () => {
    const startTime = all[0]!.createTime;
    await expect(list({ afterSequence: 1, startTime })).rejects.toMatchObject({
      reason: "INVALID_FIELD",
      violations: [{ field: "after_sequence" }],
    });
  });

  test("is shown to the owner and to an administrator alone", async () => {
    await expect(list({}, "bob")).rejects.toMatchObject({ reason: "ACCOUNT_NOT_FOUND" });
    expect((await list({}, "admin")).entries).toHaveLength(12);
  });
});

test("A page token of a statement goes with no other query", async () => {
  const { nextPageToken: pageToken } = await list({ pageSize: 1 });
  const other = await used.ledger.open();
  const queries = [{ accountId: other.id }, { afterSequence: 1 }, { endTime: new Date() }];
  for (const query of queries) {
    await expect(list({ ...query, pageToken })).rejects.toMatchObject({
      reason: "INVALID_PAGE_TOKEN",
    });
  }
});

describe("A balance at a time", () => {
  test("is the one after the last entry up to that moment", async () => {
    for (const [moment, before, after] of [
      [0, 0n, 250n],
      [3, 250n, 500n],
      [6, 500n, 750n],
      [9, 750n, 1_000n],
    ] as const) {
      const time = all[moment]!.createTime;
      expect(await at(new Date(time.getTime() - 1))).toMatchObject({ postedMinor: before });
      expect(await at(time)).toMatchObject({
        postedMinor: after,
        entrySequence: moment + 3,
        asOfTime: time,
      });
    }
  });

  test("is zero before the first entry, and long before the account", async () => {
    expect(await at(new Date(0))).toMatchObject({ postedMinor: 0n, entrySequence: 0 });
  });

  test("of now is the account's own, with version and time", async () => {
    const { version } = await used.ledger.account(accountId);
    const balance = await at(undefined);
    expect(balance).toMatchObject({ postedMinor: 1_000n, version, entrySequence: 12 });
    expect(Math.abs(balance.asOfTime.getTime() - Date.now())).toBeLessThan(5_000);
  });

  test("isn't told of the future", async () => {
    await expect(at(new Date(Date.now() + 3_600_000))).rejects.toMatchObject({
      reason: "INVALID_FIELD",
      violations: [{ field: "read_time" }],
    });
  });
});
