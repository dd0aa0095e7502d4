import { beforeEach } from "vitest";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import { changesBy } from "./changes-by.ts";
import { callAs } from "./ledger.ts";
import type { UsedLedger } from "./use-ledger.ts";

/** Gives each test an account of alice with 100 and an empty one of bob, and what they do. */
export function useTwoAccounts(used: UsedLedger) {
  const accounts = { debtorAccountId: "", creditorAccountId: "" };

  beforeEach(async () => {
    accounts.debtorAccountId = (await used.ledger.openFunded(100n)).id;
    accounts.creditorAccountId = (await used.ledger.open({ ownerId: "bob" })).id;
  });

  return {
    /** The sides of payments from alice to bob. */
    accounts,

    by: (ownerId: string) => changesBy(used.ledger, ownerId),

    hold: async (amountMinor: bigint, holdDurationMs = 60_000): Promise<PaymentRow> => {
      const request = { ...accounts, amountMinor, holdDurationMs };
      return (await used.ledger.pay(request, callAs("alice"))).payment;
    },

    /** Posted and held of the debtor's account, posted of the creditor's. */
    money: async (): Promise<bigint[]> => {
      const debtor = await used.ledger.account(accounts.debtorAccountId);
      const creditor = await used.ledger.account(accounts.creditorAccountId);
      return [debtor.postedMinor, debtor.heldMinor, creditor.postedMinor];
    },
  };
}

/** What a refused call throws. */
export const refusal = (reason: string) => ({ reason });
