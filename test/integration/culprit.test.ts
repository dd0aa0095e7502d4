import { expect, test } from "vitest";
import type { TestPayment } from "../support/ledger.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger({ maxBatch: 500 });

test("a batch of 500 in which PostgreSQL refuses one settles the other 499", async () => {
  const { ledger } = used;
  const debtor = await ledger.openFunded(500n);
  const creditor = await ledger.open({ ownerId: "bob" });
  await refuseInDatabase("poison");
  const payments = Array.from({ length: 500 }, (_, i): TestPayment => ({
    idempotencyKey: `culprit-${i}`,
    debtorAccountId: debtor.id,
    creditorAccountId: creditor.id,
    amountMinor: 1n,
    remittanceInformation: i === 333 ? "poison" : "",
  }));
  const results = await Promise.allSettled(payments.map((payment) => ledger.pay(payment)));
  const failed = results.flatMap((result, i) => (result.status === "rejected" ? [i] : []));
  expect(failed).toEqual([333]);
  expect(results[333]).toMatchObject({ reason: { reason: "INTERNAL" } });
  expect(await ledger.account(creditor.id)).toMatchObject({ postedMinor: 499n });

  await ledger.database.commitPool.query("drop trigger poison on payment");
  const { payment, replayed } = await ledger.pay(payments[333]!);
  expect({ status: payment.status, replayed }).toEqual({ status: "SETTLED", replayed: false });
});

/** A fault that only PostgreSQL sees, and only in one row. */
async function refuseInDatabase(text: string): Promise<void> {
  await used.ledger.database.commitPool.query(`
    create function refuse_poison() returns trigger language plpgsql as $$
    begin
      if new.remittance_information = '${text}' then raise exception 'poisoned'; end if;
      return new;
    end $$;
    create trigger poison before insert on payment for each row execute function refuse_poison()`);
}
