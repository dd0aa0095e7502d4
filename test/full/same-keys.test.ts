import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { expectInvariants } from "../support/invariants.ts";
import { createMigratedDatabase, openLedger, type TestPayment } from "../support/ledger.ts";
import { payUntilTold, startInstance } from "../support/service-instance.ts";

const KEYS = 1_000;
const TIMES = 100;
const CALLERS = 96;

test(
  "1,000 keys, each sent 100 times at once over three processes, are 1,000 payments",
  { timeout: 600_000 },
  async () => {
    const database = await createMigratedDatabase();
    const ledger = await openLedger(database.url);
    const instances = await Promise.all([1, 2, 3].map(() => startInstance(database.url)));
    try {
      const debtor = await ledger.openFunded(BigInt(KEYS) / 2n);
      const creditor = await ledger.open({ ownerId: "bob" });
      const payments = Array.from({ length: KEYS }, (): TestPayment => ({
        idempotencyKey: randomUUID(),
        debtorAccountId: debtor.id,
        creditorAccountId: creditor.id,
        amountMinor: 1n,
      }));
      const told = new Map<string, Set<string>>(
        payments.map((payment) => [payment.idempotencyKey!, new Set()]),
      );
      let fresh = 0;
      // All copies of a key one after the other, so that its callers meet at the same moment.
      let next = 0;
      const call = async (): Promise<void> => {
        for (let i = next++; i < KEYS * TIMES; i = next++) {
          const payment = payments[Math.floor(i / TIMES)]!;
          const first = i % instances.length;
          const turned = [...instances.slice(first), ...instances.slice(0, first)];
          const answer = await payUntilTold(turned, payment);
          if (!answer.replayed) fresh++;
          told.get(payment.idempotencyKey!)!.add(describe(answer.payment));
        }
      };
      await Promise.all(Array.from({ length: CALLERS }, call));

      expect([...told.values()].map((answers) => answers.size)).toEqual(payments.map(() => 1));
      expect(new Set([...told.values()].flatMap((answers) => [...answers])).size).toBe(KEYS);
      expect(fresh).toBe(KEYS);
      const verified = await ledger.verify();
      expect(verified.findings).toEqual([]);
      expect(verified.payments).toBe(KEYS + 1);
      await expectInvariants(database.url);
    } finally {
      await Promise.all(instances.map((instance) => instance.kill()));
      await ledger.close();
      await database.drop();
    }
  },
);

/** All that callers are told of a payment, whichever of them made it. */
function describe(payment: object): string {
  return JSON.stringify(payment, (_, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
}
