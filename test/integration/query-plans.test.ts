import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ListEntries } from "../../src/accounts/list-entries.ts";
import { uuidv7 } from "../../src/kernel/ids.ts";
import type { ListPayments } from "../../src/payments/find-payment.ts";
import { explainReadsOf, type ExplainedRead } from "../support/explain.ts";
import { callAs, createMigratedDatabase, openLedger, type TestLedger } from "../support/ledger.ts";
import type { TestDatabase } from "../support/postgres.ts";
import { runSql } from "../support/sql.ts";
import { installTestClock, travelTo } from "../support/test-clock.ts";

const ALICE = "00000000-0000-4000-8000-000000000001";
const IN_FEBRUARY = uuidv7(Date.UTC(2026, 1, 14));

/** 3,000 accounts of 20 owners, and payments between 100 of them every two minutes for months. */
const ROWS = `
  create function account_id(n bigint) returns uuid language sql immutable
    as $$ select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
  insert into account select account_id(n), 'owner ' || n % 20, 'EUR', 0, 0, 'UNBOUNDED', 0, 'OPEN',
    1, 0, '{}', '2026-01-01', '2026-01-01' from generate_series(0, 2999) n;
  update account set owner_id = 'alice' where id in ('${ALICE}', account_id(50));
  insert into payment (create_time, id, owner_id, idempotency_key, debtor_account_id,
    creditor_account_id, currency_code, amount_minor, status, end_to_end_id, remittance_information,
    metadata, sequence, captured_minor, debtor_balance_after_minor, creditor_balance_after_minor,
    update_time)
    select t, gen_random_uuid(), 'alice', n::text, account_id(n % 100),
    account_id((n + 1) % 100), 'EUR', 1, 'SETTLED', '', '', '{}', 1, 1, 0, 0, t
    from (select n, '2026-01-01'::timestamptz + n * interval '2 min' as t
      from generate_series(0, 60000) n) made;
  set session_replication_role = replica;
  update payment set id = '${IN_FEBRUARY}', debtor_account_id = '${ALICE}'
    where create_time = '2026-02-14';
  set session_replication_role = origin;
  insert into entry select debtor_account_id, create_time, row_number() over
    (partition by debtor_account_id order by create_time), id, creditor_account_id, -1, 0 from payment;
  analyze`;

let database: TestDatabase;
let ledger: TestLedger;

beforeAll(async () => {
  database = await createMigratedDatabase();
  ledger = await openLedger(database.url);
  await installTestClock(database.url);
  await travelTo({ url: database.url, ledger }, new Date("2026-01-01T00:00:00Z"));
  await runSql(database.url, ROWS);
  await travelTo({ url: database.url, ledger }, new Date("2026-03-31T00:00:00Z"));
});

afterAll(async () => {
  await ledger.close();
  await database.drop();
});

const asAlice = callAs("alice");
const firstPage = { pageSize: 10, pageToken: "" };
const february = { startTime: new Date("2026-02-01"), endTime: new Date("2026-03-01") };

function listPayments(query: Partial<ListPayments>, call = asAlice) {
  const all = { accountId: undefined, status: undefined, startTime: undefined, endTime: undefined };
  return ledger.findPayment.list(call, { ...all, ...firstPage, ...query });
}

function listEntries(query: Partial<ListEntries>) {
  const all = { accountId: ALICE, afterSequence: 0, startTime: undefined, endTime: undefined };
  return ledger.listEntries(asAlice, { ...all, ...firstPage, ...query });
}

const isFebruary = (month: string) => month === "2026_02";
const isMarchOrLater = (month: string) => month >= "2026_03";

interface Read {
  readonly run: () => Promise<unknown>;
  /** True for each month, as `2026_02`, whose partitions may be read. */
  readonly months: (month: string) => boolean;
}

const READS: Readonly<Record<string, Read>> = {
  "a payment by its id": {
    run: () => ledger.findPayment.get(asAlice, IN_FEBRUARY),
    months: isFebruary,
  },
  "an account's latest payments": {
    run: () => listPayments({ accountId: ALICE }),
    months: isMarchOrLater,
  },
  "an account's payments of a month": {
    run: () => listPayments({ accountId: ALICE, ...february }),
    months: isFebruary,
  },
  "an owner's latest payments": { run: () => listPayments({}), months: isMarchOrLater },
  "everybody's latest payments": {
    run: () => listPayments({}, callAs("admin")),
    months: isMarchOrLater,
  },
  "everybody's payments, a thousand on a page": {
    run: () => listPayments({ pageSize: 1_000, ...february }, callAs("admin")),
    months: isFebruary,
  },
  "a statement from its beginning": {
    run: () => listEntries({}),
    months: (month) => month === "2026_01",
  },
  "a statement of a time": {
    run: () => listEntries(february),
    months: (month) => month < "2026_03",
  },
  "a statement after a sequence": {
    run: () => listEntries({ afterSequence: 500 }),
    months: () => true,
  },
  "a balance at a time": {
    run: () => ledger.findAccount.balance(asAlice, ALICE, new Date("2026-02-14")),
    months: isFebruary,
  },
  "an owner's accounts": {
    run: () =>
      ledger.findAccount.list(asAlice, { ownerId: undefined, status: undefined, ...firstPage }),
    months: () => true,
  },
};

async function explain(run: Read["run"]): Promise<ExplainedRead[]> {
  // MikroORM asks for the database once, with the first query of all.
  await ledger.account(ALICE);
  return explainReadsOf({ orm: ledger.orm, url: database.url }, run);
}

describe("Reading", () => {
  test.each(Object.entries(READS))(
    "%s goes by indexes, in no more partitions than needed",
    async (_, read) => {
      const reads = await explain(read.run);
      expect(reads.length).toBeGreaterThan(0);
      for (const { sql, scans } of reads) {
        const whole = scans.filter((scan) => scan.index === undefined);
        expect({ sql, whole }).toEqual({ sql, whole: [] });
      }
      const partitions = reads.flatMap(({ scans }) =>
        scans.map((scan) => scan.table).filter((table) => table !== "account"),
      );
      expect(partitions.filter((table) => !read.months(table.slice(-7)))).toEqual([]);
    },
  );

  test("an account's balance or statement sorts nothing", async () => {
    for (const name of ["a balance at a time", "a statement of a time"]) {
      const reads = await explain(READS[name]!.run);
      expect(reads.map((read) => read.sorts)).toEqual(reads.map(() => false));
    }
  });

  test("a whole table is what this test would notice", async () => {
    const [read] = await explain(() => ledger.orm.em.execute("select count(*) from payment"));
    expect(read?.scans.map((scan) => scan.index)).toContain(undefined);
  });
});
