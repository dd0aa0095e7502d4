import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { uuidv7 } from "../../src/kernel/ids.ts";
import type { ListPayments } from "../../src/payments/find-payment.ts";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import { callAs } from "../support/ledger.ts";
import { installTestClock, travelTo } from "../support/test-clock.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();
const MONTHS = ["2025-11-20T08:00:00Z", "2025-12-31T23:59:59Z", "2026-01-10T08:00:00Z"];

let alice: string;
let bob: string;
/** Every payment of alice and bob, the latest first. */
let paid: PaymentRow[];
let declined: PaymentRow;

beforeAll(async () => {
  await installTestClock(used.url);
  await travelTo(used, new Date(MONTHS[0]!));
  const bank = await used.ledger.open({ ownerId: "bank", overdraftMode: "UNBOUNDED" });
  alice = (await used.ledger.open({ ownerId: "alice" })).id;
  bob = (await used.ledger.open({ ownerId: "bob" })).id;
  const made: PaymentRow[] = [];
  const pay = async (debtorAccountId: string, creditorAccountId: string, amountMinor: bigint) => {
    const told = await used.ledger.pay({ debtorAccountId, creditorAccountId, amountMinor });
    made.push(told.payment);
    return told.payment;
  };
  for (const month of MONTHS) {
    await travelTo(used, new Date(month));
    await pay(bank.id, alice, 1_000n);
    await pay(alice, bob, 100n);
    await pay(alice, bob, 100n);
    await pay(bob, alice, 50n);
  }
  declined = await pay(alice, bob, 1_000_000n);
  await travelTo(used, new Date());
  paid = made.toSorted((a, b) => (keyOf(a) < keyOf(b) ? 1 : -1));
});

const keyOf = (payment: PaymentRow) => payment.createTime.toISOString() + payment.id;

function list(owner: string, query: Partial<ListPayments> = {}) {
  const all = { accountId: undefined, status: undefined, startTime: undefined, endTime: undefined };
  const first = { pageSize: 0, pageToken: "" };
  return used.ledger.findPayment.list(callAs(owner), { ...all, ...first, ...query });
}

function get(owner: string, id: string) {
  return used.ledger.findPayment.get(callAs(owner), id);
}

async function idsOf(...args: Parameters<typeof list>): Promise<string[]> {
  return (await list(...args)).payments.map(({ payment }) => payment.id);
}

const idsWhere = (test: (payment: PaymentRow) => boolean) =>
  paid.filter(test).map((payment) => payment.id);

describe("A list of payments", () => {
  test("has what the caller may see, the latest first", async () => {
    expect(await idsOf("alice")).toEqual(idsWhere(() => true));
    const bobs = idsWhere((one) => one.debtorAccountId === bob || one.creditorAccountId === bob);
    // A creditor never hears of a payment that was rejected.
    expect(await idsOf("bob")).toEqual(bobs.filter((id) => id !== declined.id));
    expect(await idsOf("mallory")).toEqual([]);
    expect(await idsOf("admin")).toEqual(idsWhere(() => true));
  });

  test("tells from which sides the caller sees each", async () => {
    const [first] = (await list("bob", { pageSize: 1 })).payments;
    expect(first).toMatchObject({ asDebtor: true, asCreditor: false });
    const { payments } = await list("alice", { status: "REJECTED" });
    expect(payments).toMatchObject([{ asDebtor: true, asCreditor: false }]);
  });

  test("can be of one account, which must be the caller's", async () => {
    expect(await idsOf("bob", { accountId: bob })).toEqual(await idsOf("bob"));
    expect(await idsOf("admin", { accountId: bob })).toContain(declined.id);
    for (const accountId of [bob, randomUUID()]) {
      await expect(list("alice", { accountId })).rejects.toMatchObject({
        reason: "ACCOUNT_NOT_FOUND",
      });
    }
  });

  test("of an account without payments is empty, for its owner and for an administrator", async () => {
    const { id: accountId } = await used.ledger.open({ ownerId: "carol" });
    expect(await idsOf("carol", { accountId })).toEqual([]);
    expect(await idsOf("admin", { accountId })).toEqual([]);
  });

  test("can be of one status", async () => {
    expect(await idsOf("alice", { status: "REJECTED" })).toEqual([declined.id]);
    expect(await idsOf("bob", { status: "REJECTED" })).toEqual([]);
    expect(await idsOf("alice", { status: "SETTLED" })).not.toContain(declined.id);
  });

  test("can be of a time, from its start up to before its end", async () => {
    const [startTime, endTime] = [new Date("2025-12-01"), new Date("2026-01-01")];
    const inDecember = idsWhere((one) => one.createTime.toISOString().startsWith("2025-12"));
    expect(inDecember).toHaveLength(4);
    expect(await idsOf("alice", { startTime, endTime })).toEqual(inDecember);
    const last = paid[0]!.createTime;
    expect(await idsOf("alice", { endTime: last })).not.toContain(paid[0]!.id);
    expect(await idsOf("alice", { startTime: last })).toContain(paid[0]!.id);
    expect(await idsOf("admin", { startTime: new Date("2026-02-01") })).toEqual([]);
  });

  test.each(["alice", "admin"])(
    "comes to %s in pages that have each payment once",
    async (owner) => {
      for (const pageSize of [1, 4, 12, 13]) {
        const seen: string[] = [];
        let pageToken = "";
        do {
          const page = await list(owner, { pageSize, pageToken });
          expect(page.payments.length).toBeLessThanOrEqual(pageSize);
          seen.push(...page.payments.map(({ payment }) => payment.id));
          pageToken = page.nextPageToken;
        } while (pageToken !== "");
        expect(seen).toEqual(idsWhere(() => true));
      }
    },
  );

  test("in pages keeps to its filters", async () => {
    const filters = { status: "SETTLED", startTime: new Date("2025-12-01"), pageSize: 3 } as const;
    const first = await list("bob", filters);
    const rest = await idsOf("bob", { ...filters, pageSize: 100, pageToken: first.nextPageToken });
    expect(first.payments).toHaveLength(3);
    expect(rest).toHaveLength(3);
  });

  test("has each of its owner's payments to himself once", async () => {
    const [from, to] = [
      await used.ledger.openFunded(100n, { ownerId: "dora" }),
      await used.ledger.open({ ownerId: "dora" }),
    ];
    const accounts = { debtorAccountId: from.id, creditorAccountId: to.id };
    const { payment } = await used.ledger.pay({ ...accounts, amountMinor: 1n });
    const ids = await idsOf("dora");
    expect(ids.filter((id) => id === payment.id)).toHaveLength(1);
    expect(ids).toHaveLength(2);
  });
});

test("A page token of a list of payments goes with no other query or caller", async () => {
  const { nextPageToken: pageToken } = await list("alice", { pageSize: 1 });
  const others = [
    list("bob", { pageToken }),
    list("alice", { accountId: alice, pageToken }),
    list("alice", { status: "SETTLED", pageToken }),
    list("alice", { startTime: new Date(0), pageToken }),
  ];
  for (const other of others) {
    await expect(other).rejects.toMatchObject({ reason: "INVALID_PAGE_TOKEN" });
  }
});

describe("A payment", () => {
  test("of any month is found by its id", async () => {
    for (const { id } of paid) expect((await get("alice", id)).payment.id).toBe(id);
  });

  test("that isn't there, isn't the caller's or was rejected is the same to its creditor", async () => {
    const ids = [declined.id, paid.at(-1)!.id, randomUUID(), uuidv7(Date.now()), uuidv7(0)];
    const told = await Promise.allSettled(ids.map((id) => get("bob", id)));
    for (const one of told) {
      expect(one).toMatchObject({ reason: { reason: "PAYMENT_NOT_FOUND" } });
      expect(one).toEqual(told[0]);
    }
    expect((await get("alice", declined.id)).payment.status).toBe("REJECTED");
  });
});
