import { describe, expect, test } from "vitest";
import type { AccountState } from "../../src/accounts/account.ts";
import { MAX_BALANCE_MINOR, MIN_BALANCE_MINOR } from "../../src/kernel/money.ts";
import { PAYMENT_STATUSES } from "../../src/kernel/payment-states.ts";
import {
  findDecline,
  isOver,
  REASON_CODES,
  type PaymentReason,
} from "../../src/payments/payment.ts";
import { testAccount } from "../support/commands.ts";

/** What gives each reason, as far from the others as it can be; the order is that of precedence. */
const CAUSES: Readonly<
  Record<PaymentReason, { debtor?: Partial<AccountState>; creditor?: Partial<AccountState> | null }>
> = {
  CREDITOR_ACCOUNT_NOT_FOUND: { creditor: null },
  ACCOUNT_CLOSED: { creditor: { status: "CLOSED" } },
  ACCOUNT_FROZEN: { debtor: { status: "FROZEN" } },
  CURRENCY_MISMATCH: { debtor: { currencyCode: "USD" } },
  BALANCE_OVERFLOW: { creditor: { postedMinor: MAX_BALANCE_MINOR } },
  INSUFFICIENT_FUNDS: { debtor: { postedMinor: 0n } },
};

const REASONS = Object.keys(CAUSES) as PaymentReason[];

function reasonOf(...causes: PaymentReason[]): PaymentReason | undefined {
  const debtor = testAccount({
    postedMinor: 1_000n,
    ...Object.assign({}, ...causes.map((reason) => CAUSES[reason].debtor)),
  });
  const missing = causes.some((reason) => CAUSES[reason].creditor === null);
  const creditor = testAccount(
    Object.assign({}, ...causes.map((reason) => CAUSES[reason].creditor)),
  );
  return findDecline(debtor, missing ? undefined : creditor, "EUR", 100n)?.reason;
}

test("A payment with funds between open accounts of its currency isn't declined", () => {
  expect(reasonOf()).toBeUndefined();
});

describe("A payment is declined", () => {
  test.each(REASONS)("for %s", (reason) => {
    expect(reasonOf(reason)).toBe(reason);
  });

  test("for the first reason of the catalogue when several apply", () => {
    expect(REASONS).toEqual(Object.keys(REASON_CODES));
    REASONS.forEach((first, i) => {
      for (const later of REASONS.slice(i + 1)) expect(reasonOf(later, first)).toBe(first);
    });
    expect(reasonOf(...REASONS)).toBe("CREDITOR_ACCOUNT_NOT_FOUND");
  });

  test("with a detail that names the side", () => {
    const good = testAccount({ postedMinor: 1_000n });
    const sides: [Partial<AccountState>, string][] = [
      [{ status: "CLOSED" }, "account is closed"],
      [{ status: "FROZEN" }, "account is frozen"],
      [{ currencyCode: "USD" }, "account isn't in EUR"],
    ];
    for (const [bad, text] of sides) {
      const badOne = testAccount({ postedMinor: 1_000n, ...bad });
      expect(findDecline(badOne, good, "EUR", 1n)?.detail).toContain(`debtor ${text}`);
      expect(findDecline(good, badOne, "EUR", 1n)?.detail).toContain(`creditor ${text}`);
    }
  });
});

describe("A balance may go to the last number of 64 bits and not beyond", () => {
  const rich = testAccount({ postedMinor: 1_000n });
  const bank = { overdraftMode: "UNBOUNDED" } as const;

  test("on the creditor's side", () => {
    const full = testAccount({ postedMinor: MAX_BALANCE_MINOR - 10n });
    expect(findDecline(rich, full, "EUR", 10n)).toBeUndefined();
    expect(findDecline(rich, full, "EUR", 11n)).toMatchObject({
      reason: "BALANCE_OVERFLOW",
      detail: expect.stringContaining("creditor") as unknown,
    });
  });

  test("on the debtor's side", () => {
    const deep = testAccount({ ...bank, postedMinor: MIN_BALANCE_MINOR + 10n });
    expect(findDecline(deep, rich, "EUR", 10n)).toBeUndefined();
    expect(findDecline(deep, rich, "EUR", 11n)).toMatchObject({
      reason: "BALANCE_OVERFLOW",
      detail: expect.stringContaining("debtor") as unknown,
    });
  });

  test("nor may what is available with an overdraft", () => {
    const limited = testAccount({
      postedMinor: MAX_BALANCE_MINOR - 20n,
      overdraftMode: "LIMITED",
      overdraftLimitMinor: 10n,
    });
    expect(findDecline(rich, limited, "EUR", 10n)).toBeUndefined();
    expect(findDecline(rich, limited, "EUR", 11n)?.reason).toBe("BALANCE_OVERFLOW");
  });
});

test("a payment is over when nothing can become of it any more", () => {
  const ID = "0198c0de-0000-7000-8000-000000000001";
  const plain = { refundOfPaymentId: null, retriedByPaymentId: null };
  const settled = { ...plain, status: "SETTLED", capturedMinor: 5n } as const;
  const none = { capturedMinor: 0n, refundedMinor: 0n };
  const over = PAYMENT_STATUSES.filter((status) => isOver({ ...plain, ...none, status }));
  // A settled payment has something captured.
  expect(over).toEqual(["SETTLED", "CANCELLED", "EXPIRED"]);
  expect(isOver({ ...settled, refundedMinor: 0n })).toBe(false);
  expect(isOver({ ...settled, refundedMinor: 4n })).toBe(false);
  expect(isOver({ ...settled, refundedMinor: 5n })).toBe(true);
  expect(isOver({ ...settled, refundedMinor: 0n, refundOfPaymentId: ID })).toBe(true);
  const rejected = { ...plain, ...none, status: "REJECTED" } as const;
  expect(isOver({ ...rejected, retriedByPaymentId: ID })).toBe(true);
  expect(isOver({ ...rejected, refundOfPaymentId: ID })).toBe(true);
});
