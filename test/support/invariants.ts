import { fromBinary } from "@bufbuild/protobuf";
import { Client } from "pg";
import { expect } from "vitest";
import {
  PaymentEventSchema,
  PaymentEventType,
  PaymentStatus,
} from "../../gen/instantpayment/v1/payment_pb.ts";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";

/**
 * What must hold of every ledger, each as the query that finds what breaks it, a line of text for
 * each. Written apart from `ledger-rules.ts`, so that one mistake isn't made in both.
 */
const BREACHES: Readonly<Record<string, string>> = {
  "a settled payment has one entry on each side that sum to 0, any other has none": `
    select format('%s %s: %s entries, sum %s', p.status, p.id, count(e), coalesce(sum(e.amount_minor), 0))
    from payment p left join entry e on e.payment_id = p.id
    group by p.create_time, p.id
    having count(e) <> case p.status when 'SETTLED' then 2 else 0 end or sum(e.amount_minor) <> 0
      or count(e) filter (where e.account_id = p.debtor_account_id and e.amount_minor = -p.amount_minor
        and e.counterparty_account_id = p.creditor_account_id
        and e.balance_after_minor = p.debtor_balance_after_minor) <> count(e) / 2
      or count(e) filter (where e.account_id = p.creditor_account_id and e.amount_minor = p.amount_minor
        and e.counterparty_account_id = p.debtor_account_id
        and e.balance_after_minor = p.creditor_balance_after_minor) <> count(e) / 2`,

  "every entry belongs to a payment and an account": `
    select format('entry %s of %s', entry_sequence, account_id) from entry
    where payment_id not in (select id from payment) or account_id not in (select id from account)`,

  "a balance is the sum of its account's entries": `
    select format('%s: %s', id, posted_minor) from account
    where posted_minor <> (select coalesce(sum(amount_minor), 0) from entry where account_id = id)`,

  "the entries of an account are numbered 1, 2, 3 ... up to its sequence": `
    select format('%s: %s', id, entry_sequence) from account
    where array(select e.entry_sequence from entry e where e.account_id = id order by 1)
      <> array(select generate_series(1, entry_sequence))`,

  "every entry goes on from the balance of the one before it, and not back in time": `
    select format('entry %s of %s', e.entry_sequence, e.account_id)
    from entry e left join entry b
      on b.account_id = e.account_id and b.entry_sequence = e.entry_sequence - 1
    where e.balance_after_minor <> coalesce(b.balance_after_minor, 0) + e.amount_minor
      or e.create_time < b.create_time`,

  "no account is below its limit": `
    select format('%s: %s held %s', id, posted_minor, held_minor) from account
    where overdraft_mode <> 'UNBOUNDED'
      and posted_minor - held_minor < -overdraft_limit_minor`,

  "nothing is held where nothing can be": `
    select format('%s: %s', id, held_minor) from account where held_minor <> 0`,

  "all accounts of a currency sum to 0": `
    select format('%s: %s', currency_code, sum(posted_minor)) from account
    group by currency_code having sum(posted_minor) <> 0`,

  "a key has one payment and a payment one key": `
    select format('%s of %s: %s payments', key, owner_id, count(distinct p.id))
    from (select owner_id, key, payment_id from idempotency_key) k
    full join (select owner_id, idempotency_key as key, id from payment) p using (owner_id, key)
    group by owner_id, key having count(*) <> 1 or min(k.payment_id::text) is distinct from min(p.id::text)`,
};

interface EventRow {
  readonly event_id: string;
  readonly payment_id: string;
  readonly sequence: number;
  readonly payload: Buffer;
  readonly status: PaymentRow["status"];
  readonly amount_minor: string;
  readonly debtor_entry: string;
  readonly creditor_entry: string;
}

const EVENTS = `
  select v.event_id, p.id as payment_id, v.sequence, v.payload, p.status, p.amount_minor,
    coalesce(d.entry_sequence, 0) as debtor_entry, coalesce(c.entry_sequence, 0) as creditor_entry
  from payment p join payment_event v on v.payment_id = p.id and v.sequence = p.sequence
  left join entry d on d.payment_id = p.id and d.account_id = p.debtor_account_id
  left join entry c on c.payment_id = p.id and c.account_id = p.creditor_account_id`;

/** Whatever is wrong in the ledger of a database, in lines of text: rule and place. */
export async function findBreaches(url: string): Promise<string[]> {
  return withClient(url, async (client) => {
    const found: string[] = [];
    for (const [rule, sql] of Object.entries(BREACHES)) {
      const { rows } = await client.query<[string]>({ text: sql, rowMode: "array" });
      found.push(...rows.map(([line]) => `${rule}: ${line}`));
    }
    return [...found, ...(await findEventBreaches(client))];
  });
}

/** Fails the test that calls it if anything is wrong in the ledger of the database. */
export async function expectInvariants(url: string): Promise<void> {
  const breaches = await findBreaches(url);
  expect(breaches.slice(0, 10)).toEqual([]);
}

/** Fails the test that calls it unless every payment that a caller was answered is stored so. */
export async function expectStored(url: string, answered: readonly PaymentRow[]): Promise<void> {
  const { rows } = await withClient(url, (client) =>
    client.query<[string, string]>({
      text: `select id, concat_ws(' ', status, reason, amount_minor, sequence,
        debtor_account_id, debtor_balance_after_minor,
        creditor_account_id, creditor_balance_after_minor) from payment`,
      rowMode: "array",
    }),
  );
  const stored = new Map(rows);
  const lost = answered
    .map((payment) => [payment.id, textOf(payment)] as const)
    .filter(([id, text]) => stored.get(id) !== text);
  expect(lost.slice(0, 10)).toEqual([]);
}

/** What a caller is told of a payment in the form of `expectStored`'s query. */
function textOf(payment: PaymentRow): string {
  const values = [
    payment.status,
    payment.reason,
    payment.amountMinor,
    payment.sequence,
    payment.debtorAccountId,
    payment.debtorBalanceAfterMinor,
    payment.creditorAccountId,
    payment.creditorBalanceAfterMinor,
  ];
  return values.filter((value) => value !== null).join(" ");
}

/** One event for each change of a payment, whose payload tells what is stored. */
async function findEventBreaches(client: Client): Promise<string[]> {
  const { rows: gaps } = await client.query<{ id: string }>(`
    select coalesce(p.id, v.payment_id) as id
    from payment p full join payment_event v on v.payment_id = p.id
    group by p.id, p.sequence, v.payment_id
    having p.id is null or array_agg(v.sequence order by v.sequence)
      is distinct from array(select generate_series(1, p.sequence))`);
  const { rows } = await client.query<EventRow>(EVENTS);
  return [
    ...gaps.map(({ id }) => `every change of a payment has one event: ${id}`),
    ...rows
      .filter((row) => !tellsTheTruth(row))
      .map(({ event_id: id }) => `an event tells what was booked: ${id}`),
  ];
}

function tellsTheTruth(row: EventRow): boolean {
  const event = fromBinary(PaymentEventSchema, row.payload);
  return (
    event.eventId === row.event_id &&
    event.sequence === row.sequence &&
    event.type === PaymentEventType[row.status] &&
    event.payment?.id === row.payment_id &&
    event.payment.status === PaymentStatus[row.status] &&
    event.payment.amount?.amountMinor === BigInt(row.amount_minor) &&
    event.debtorEntrySequence === BigInt(row.debtor_entry) &&
    event.creditorEntrySequence === BigInt(row.creditor_entry)
  );
}

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
