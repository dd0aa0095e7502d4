import { describe, expect, test } from "vitest";
import {
  availableMinor,
  canPay,
  isWithinLimit,
  statusChangeRefusal,
  type AccountStatus,
} from "../../src/accounts/account.ts";
import { checkOverdraft } from "../../src/accounts/account-checks.ts";
import { testAccount } from "../support/commands.ts";

test("Available is posted less held plus the overdraft limit", () => {
  const account = { postedMinor: 100n, heldMinor: 30n, overdraftLimitMinor: 50n };
  expect(availableMinor(account)).toBe(120n);
});

describe("An account can pay", () => {
  test("what it has to the last unit, without an overdraft", () => {
    const account = testAccount({ postedMinor: 100n });
    expect(canPay(account, 100n)).toBe(true);
    expect(canPay(account, 101n)).toBe(false);
  });

  test("nothing of what is held", () => {
    const account = testAccount({ postedMinor: 100n, heldMinor: 40n });
    expect(canPay(account, 60n)).toBe(true);
    expect(canPay(account, 61n)).toBe(false);
  });

  test("down to its limit, with a limited overdraft", () => {
    const account = testAccount({
      postedMinor: 10n,
      overdraftMode: "LIMITED",
      overdraftLimitMinor: 90n,
    });
    expect(canPay(account, 100n)).toBe(true);
    expect(canPay(account, 101n)).toBe(false);
  });

  test("whatever it likes, with an unbounded one", () => {
    expect(canPay(testAccount({ overdraftMode: "UNBOUNDED" }), 10n ** 18n)).toBe(true);
  });
});

test("An account is within its limit as long as it could pay nothing at all", () => {
  expect(isWithinLimit(testAccount())).toBe(true);
  expect(isWithinLimit(testAccount({ postedMinor: -1n }))).toBe(false);
});

describe("A status changes", () => {
  const allowed: [AccountStatus, AccountStatus][] = [
    ["OPEN", "OPEN"],
    ["OPEN", "FROZEN"],
    ["OPEN", "CLOSED"],
    ["FROZEN", "OPEN"],
    ["FROZEN", "FROZEN"],
    ["FROZEN", "CLOSED"],
    ["CLOSED", "CLOSED"],
  ];
  test.each(allowed)("from %s to %s when nothing is on the account", (status, to) => {
    expect(statusChangeRefusal(testAccount({ status }), to)).toBeUndefined();
  });

  test("from CLOSED to no other", () => {
    const closed = testAccount({ status: "CLOSED" });
    expect(statusChangeRefusal(closed, "OPEN")).toBe("A closed account stays closed.");
    expect(statusChangeRefusal(closed, "FROZEN")).toBe("A closed account stays closed.");
  });

  test("to CLOSED only with a zero balance and nothing held", () => {
    for (const postedMinor of [1n, -1n]) {
      const refusal = statusChangeRefusal(testAccount({ postedMinor }), "CLOSED");
      expect(refusal).toBe("Closing needs a zero balance.");
    }
    expect(statusChangeRefusal(testAccount({ heldMinor: 1n }), "CLOSED")).toContain("held");
  });
});

describe("An overdraft limit", () => {
  test("is needed when the mode is limited", () => {
    expect(() => checkOverdraft("LIMITED", 0n)).toThrow("overdraft_limit_minor");
    expect(() => checkOverdraft("LIMITED", 1n)).not.toThrow();
  });

  test.each(["NONE", "UNBOUNDED"] as const)("isn't for the mode %s", (mode) => {
    expect(() => checkOverdraft(mode, 1n)).toThrow("overdraft_limit_minor");
    expect(() => checkOverdraft(mode, 0n)).not.toThrow();
  });
});
