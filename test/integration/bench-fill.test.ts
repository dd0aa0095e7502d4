import { expect, test } from "vitest";
import { ACCOUNTS, addPayments, fundAccounts } from "../../bench/fill.ts";
import { createMigratedDatabase, openLedger } from "../support/ledger.ts";

test("tables filled by the bench are a ledger in which all is right, and it goes on", async () => {
  const { url, drop } = await createMigratedDatabase();
  const ledger = await openLedger(url);
  try {
    await fundAccounts(url);
    await addPayments(url, 25_000);
    const filled = 30_000;
    const { payment } = await ledger.pay({
      debtorAccountId: "00000000-0000-7000-8000-000000000001",
      creditorAccountId: "00000000-0000-7000-8000-000000010000",
      amountMinor: 5n,
    });
    expect(payment.status).toBe("SETTLED");
    const found = await ledger.verify();
    expect(found.findings).toEqual([]);
    expect(found.accounts).toBe(ACCOUNTS + 1);
    expect(found.payments).toBe(ACCOUNTS + filled + 1);
    expect(found.entries).toBe(2 * found.payments);
    expect(found.events).toBe(found.payments);
  } finally {
    await ledger.close();
    await drop();
  }
});
