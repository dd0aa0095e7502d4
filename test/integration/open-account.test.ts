import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { OpenAccount } from "../../src/accounts/open-account.ts";
import { callAs } from "../support/ledger.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();

function open(owner: string, settings: Partial<OpenAccount> = {}) {
  return used.ledger.openAccount(callAs(owner), {
    accountId: undefined,
    ownerId: undefined,
    currencyCode: "EUR",
    overdraftMode: "NONE",
    overdraftLimitMinor: 0n,
    metadata: {},
    ...settings,
  });
}

describe("A new account", () => {
  test("is the caller's own, open and empty", async () => {
    const account = await open("alice", { metadata: { name: "rent" } });
    expect(await used.ledger.account(account.id)).toMatchObject({
      ownerId: "alice",
      currencyCode: "EUR",
      postedMinor: 0n,
      heldMinor: 0n,
      status: "OPEN",
      version: 1,
      entrySequence: 0,
      metadata: { name: "rent" },
    });
  });

  test("has the caller's id or one of ours, with the time in it", async () => {
    const accountId = randomUUID();
    expect((await open("alice", { accountId })).id).toBe(accountId);
    expect((await open("alice")).id[14]).toBe("7");
  });

  test("needs a currency of money in use", async () => {
    for (const currencyCode of ["XXX", "XAU", "EURO", "eur", ""]) {
      await expect(open("alice", { currencyCode })).rejects.toMatchObject({
        reason: "INVALID_FIELD",
        violations: [{ field: "currency_code" }],
      });
    }
  });
});

describe("Opening an id again", () => {
  test("returns the account as it is now, to the same owner in the same currency", async () => {
    const { id } = await used.ledger.openFunded(500n);
    const again = await open("alice", { accountId: id });
    expect(again).toMatchObject({ id, postedMinor: 500n, entrySequence: 1 });
  });

  test("is refused to another owner, or in another currency", async () => {
    const { id } = await open("alice");
    const others = [
      open("bob", { accountId: id }),
      open("alice", { accountId: id, currencyCode: "USD" }),
    ];
    for (const other of others) {
      await expect(other).rejects.toMatchObject({ reason: "ACCOUNT_ID_TAKEN" });
    }
  });

  test("many times at once makes one account", async () => {
    const accountId = randomUUID();
    const accounts = await Promise.all(
      Array.from({ length: 10 }, () => open("alice", { accountId })),
    );
    const told = new Set(accounts.map((account) => account.createTime.getTime()));
    expect([accounts.length, told.size]).toEqual([10, 1]);
  });
});

describe("Only an administrator opens", () => {
  test("an account for another owner", async () => {
    await expect(open("alice", { ownerId: "bob" })).rejects.toMatchObject({
      reason: "MISSING_SCOPE",
      metadata: { scope: "admin" },
    });
    expect((await open("admin", { ownerId: "bob" })).ownerId).toBe("bob");
  });

  test("an account with an overdraft", async () => {
    const limited = { overdraftMode: "LIMITED", overdraftLimitMinor: 5n } as const;
    for (const settings of [limited, { overdraftMode: "UNBOUNDED" } as const]) {
      await expect(open("alice", settings)).rejects.toMatchObject({ reason: "MISSING_SCOPE" });
      expect(await open("admin", settings)).toMatchObject(settings);
    }
  });
});
