import { describe, expect, test } from "vitest";
import type { UpdateAccount } from "../../src/accounts/update-account.ts";
import { callAs } from "../support/ledger.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();

function update(owner: string, accountId: string, change: Partial<UpdateAccount>) {
  return used.ledger.updateAccount(callAs(owner), {
    accountId,
    version: undefined,
    status: undefined,
    overdraftMode: undefined,
    overdraftLimitMinor: undefined,
    metadata: undefined,
    ...change,
  });
}

describe("Changing an account", () => {
  test("changes what is given, leaves the rest, and counts the version up", async () => {
    const { id } = await used.ledger.openFunded(100n, { metadata: { a: "1" } });
    const before = await used.ledger.account(id);
    await update("alice", id, { metadata: { b: "2" } });
    const after = await used.ledger.account(id);
    expect(after).toMatchObject({ metadata: { b: "2" }, version: before.version + 1 });
    expect({ ...after, metadata: 0, version: 0, updateTime: 0 }).toEqual({
      ...before,
      metadata: 0,
      version: 0,
      updateTime: 0,
    });
  });

  test("is refused if the account has another version than the caller's", async () => {
    const { id, version } = await used.ledger.open();
    await update("alice", id, { metadata: { a: "1" }, version });
    await expect(update("alice", id, { metadata: {}, version })).rejects.toMatchObject({
      reason: "ACCOUNT_VERSION_MISMATCH",
      metadata: { version: String(version + 1) },
    });
    expect((await used.ledger.account(id)).metadata).toEqual({ a: "1" });
  });

  test("many times at once with the same version changes it once", async () => {
    const { id, version } = await used.ledger.open();
    const told = await Promise.allSettled(
      [1, 2, 3, 4, 5].map((n) => update("alice", id, { version, metadata: { n: String(n) } })),
    );
    expect(told.filter((one) => one.status === "fulfilled")).toHaveLength(1);
    expect((await used.ledger.account(id)).version).toBe(version + 1);
  });

  test("while payments go through it loses neither", async () => {
    const alice = await used.ledger.openFunded(10_000n);
    const bob = await used.ledger.open({ ownerId: "bob" });
    const start = (await used.ledger.account(alice.id)).version;
    const work = Array.from({ length: 40 }, (_, n) =>
      n % 2 === 0
        ? update("alice", alice.id, { metadata: { n: String(n) } })
        : used.ledger.pay({
            debtorAccountId: alice.id,
            creditorAccountId: bob.id,
            amountMinor: 10n,
          }),
    );
    await Promise.all(work);
    const { postedMinor, entrySequence, version } = await used.ledger.account(alice.id);
    expect([postedMinor, entrySequence]).toEqual([9_800n, 21]);
    expect(version).toBeGreaterThan(start + 20);
  });

  test("that isn't there or is another's is refused with the same words", async () => {
    const { id } = await used.ledger.open();
    const missing = update("bob", "00000000-0000-4000-8000-000000000000", {});
    const others = update("bob", id, { metadata: {} });
    const [one, two] = await Promise.allSettled([missing, others]);
    expect(one).toMatchObject({ reason: { reason: "ACCOUNT_NOT_FOUND" } });
    expect(two).toEqual(one);
  });
});

describe("A status", () => {
  test("of frozen or open again is an administrator's to give", async () => {
    const { id } = await used.ledger.open();
    for (const status of ["FROZEN", "OPEN"] as const) {
      await expect(update("alice", id, { status })).rejects.toMatchObject({
        reason: "MISSING_SCOPE",
      });
      expect((await update("admin", id, { status })).status).toBe(status);
    }
  });

  test("of closed is the owner's to give, if nothing is on the account, and final", async () => {
    const rich = await used.ledger.openFunded(1n);
    await expect(update("alice", rich.id, { status: "CLOSED" })).rejects.toMatchObject({
      reason: "ACCOUNT_STATE_FORBIDS",
      message: "Closing needs a zero balance.",
    });
    const { id } = await used.ledger.open();
    expect((await update("alice", id, { status: "CLOSED" })).status).toBe("CLOSED");
    for (const change of [{ status: "OPEN" } as const, { metadata: {} }, {}]) {
      await expect(update("admin", id, change)).rejects.toMatchObject({
        reason: "ACCOUNT_STATE_FORBIDS",
      });
    }
    expect((await update("alice", id, { status: "CLOSED" })).status).toBe("CLOSED");
  });
});

describe("An overdraft", () => {
  test("is an administrator's to set, and takes effect at once", async () => {
    const [alice, bob] = [await used.ledger.open(), await used.ledger.open({ ownerId: "bob" })];
    const limited = { overdraftMode: "LIMITED", overdraftLimitMinor: 50n } as const;
    await expect(update("alice", alice.id, limited)).rejects.toMatchObject({
      reason: "MISSING_SCOPE",
    });
    await update("admin", alice.id, limited);
    const { payment } = await used.ledger.pay({
      debtorAccountId: alice.id,
      creditorAccountId: bob.id,
      amountMinor: 50n,
    });
    expect(payment.status).toBe("SETTLED");
    for (const overdraftLimitMinor of [49n, 1n]) {
      await expect(update("admin", alice.id, { overdraftLimitMinor })).rejects.toMatchObject({
        reason: "ACCOUNT_STATE_FORBIDS",
        message: "The account is below the new limit.",
      });
    }
    expect(await update("admin", alice.id, { overdraftLimitMinor: 60n })).toMatchObject({
      overdraftMode: "LIMITED",
      overdraftLimitMinor: 60n,
    });
    await expect(update("admin", alice.id, { overdraftMode: "NONE" })).rejects.toMatchObject({
      reason: "ACCOUNT_STATE_FORBIDS",
    });
    expect(await update("admin", alice.id, { overdraftMode: "UNBOUNDED" })).toMatchObject({
      overdraftMode: "UNBOUNDED",
      overdraftLimitMinor: 0n,
    });
  });

  test("limit without the limited mode is refused", async () => {
    const { id } = await used.ledger.open();
    for (const change of [
      { overdraftLimitMinor: 5n },
      { overdraftMode: "UNBOUNDED", overdraftLimitMinor: 5n } as const,
      { overdraftMode: "LIMITED" } as const,
    ]) {
      await expect(update("admin", id, change)).rejects.toMatchObject({
        reason: "INVALID_FIELD",
        violations: [{ field: "overdraft_limit_minor" }],
      });
    }
  });
});
