import { beforeAll, describe, expect, test } from "vitest";
import type { ListAccounts } from "../../src/accounts/find-account.ts";
import { callAs } from "../support/ledger.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();
const ids: Record<string, string[]> = { alice: [], bob: [] };

beforeAll(async () => {
  for (const owner of ["alice", "bob", "alice", "alice", "bob", "alice", "alice"]) {
    ids[owner]?.push((await used.ledger.open({ ownerId: owner })).id);
  }
  for (const list of Object.values(ids)) list.sort();
});

function list(owner: string, query: Partial<ListAccounts> = {}) {
  const all = { ownerId: undefined, status: undefined, pageSize: 0, pageToken: "" };
  return used.ledger.findAccount.list(callAs(owner), { ...all, ...query });
}

function get(owner: string, id: string) {
  return used.ledger.findAccount.get(callAs(owner), id);
}

async function idsOf(...args: Parameters<typeof list>): Promise<string[]> {
  return (await list(...args)).accounts.map((account) => account.id);
}

describe("A list of accounts", () => {
  test("has the caller's own, an administrator's has all", async () => {
    expect(await idsOf("alice")).toEqual(ids["alice"]);
    expect(await idsOf("admin")).toEqual([...ids["alice"]!, ...ids["bob"]!].toSorted());
    expect(await idsOf("admin", { ownerId: "bob" })).toEqual(ids["bob"]);
  });

  test("shows nothing of another owner", async () => {
    expect(await idsOf("alice", { ownerId: "bob" })).toEqual([]);
    expect(await idsOf("mallory")).toEqual([]);
  });

  test("can be of one status", async () => {
    expect(await idsOf("bob", { status: "OPEN" })).toEqual(ids["bob"]);
    expect(await idsOf("bob", { status: "CLOSED" })).toEqual([]);
  });

  test("comes in pages that together have each account once", async () => {
    const seen: string[] = [];
    const sizes: number[] = [];
    let pageToken = "";
    do {
      const page = await list("alice", { pageSize: 2, pageToken });
      seen.push(...page.accounts.map((account) => account.id));
      sizes.push(page.accounts.length);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(seen).toEqual(ids["alice"]);
    expect(sizes).toEqual([2, 2, 1]);
  });

  test("has no next page after a last one that is full", async () => {
    expect((await list("bob", { pageSize: 2 })).nextPageToken).toBe("");
  });
});

describe("A page token of a list", () => {
  test.each([
    ["another caller", "bob", {}],
    ["another filter", "alice", { status: "OPEN" }],
  ] as const)("is refused to %s", async (_, owner, query) => {
    const { nextPageToken: pageToken } = await list("alice", { pageSize: 1 });
    expect(pageToken).not.toBe("");
    await expect(list(owner, { ...query, pageToken })).rejects.toMatchObject({
      reason: "INVALID_PAGE_TOKEN",
    });
  });

  test("goes with another page size", async () => {
    const { nextPageToken: pageToken } = await list("alice", { pageSize: 1 });
    expect(await idsOf("alice", { pageSize: 100, pageToken })).toEqual(ids["alice"]!.slice(1));
  });
});

describe("An account", () => {
  test("that isn't there or is another's is refused with the same words", async () => {
    const bobs = ids["bob"]![0]!;
    const missing = get("alice", "00000000-0000-4000-8000-000000000000");
    const [one, two] = await Promise.allSettled([missing, get("alice", bobs)]);
    expect(one).toMatchObject({ reason: { reason: "ACCOUNT_NOT_FOUND" } });
    expect(two).toEqual(one);
    expect((await get("admin", bobs)).ownerId).toBe("bob");
  });
});
