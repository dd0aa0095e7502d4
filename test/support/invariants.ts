import { Client } from "pg";
import { expect } from "vitest";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import { findEventBreaches } from "./event-breaches.ts";

/**
 * What must hold of every ledger, each as the query that finds what breaks it, a line of text for
 * each. Written apart from `ledger-rules.ts`, so that one mistake isn't made in both.
 */
const BREACHES: Readonly<Record<string, string>> = {
  "what was captured of a payment is on its two accounts, and no more than its amount": `
    select format('%s %s: captured %s, %s entries, sum %s', p.status, p.id, p.captured_minor,
      count(e), coalesce(sum(e.amount_minor), 0))
    from payment p left join entry e on e.payment_id = p.id
    group by p.create_time, p.id
    having coalesce(sum(e.amount_minor), 0) <> 0 or p.captured_minor > p.amount_minor
      or (p.captured_minor > 0) <> (p.status = 'SETTLED' or p.status = 'HELD' and p.captured_minor > 0)
      or p.hold_duration_ms is null and count(e) <> case p.status when 'SETTLED' then 2 else 0 end
      or p.hold_duration_ms is null and p.status = 'SETTLED' and p.captured_minor <> p.amount_minor
      or p.captured_minor <> coalesce(-sum(e.amount_minor) filter (where e.account_id = p.debtor_account_id
        and e.counterparty_account_id = p.creditor_account_id), 0)
      or p.captured_minor <> coalesce(sum(e.amount_minor) filter (where e.account_id = p.creditor_account_id
        and e.counterparty_account_id = p.debtor_account_id), 0)
      or p.debtor_balance_after_minor is distinct from (array_agg(e.balance_after_minor
        order by e.entry_sequence desc) filter (where e.account_id = p.debtor_account_id))[1]
      or p.creditor_balance_after_minor is distinct from (array_agg(e.balance_after_minor
        order by e.entry_sequence desc) filter (where e.account_id = p.creditor_account_id))[1]`,

  "nothing is booked from a payment's expire_time on": `
    select format('%s: %s', p.id, e.create_time) from payment p, entry e
    where e.payment_id = p.id and not e.create_time < p.expire_time`,

  "refunds go back the way that the money came and sum to what the payment tells": `
    select format('%s: %s', p.id, p.refunded_minor) from payment p
    left join payment r on r.refund_of_payment_id = p.id and r.status = 'SETTLED'
      and r.debtor_account_id = p.creditor_account_id and r.creditor_account_id = p.debtor_account_id
    group by p.create_time, p.id
    having p.refunded_minor <> coalesce(sum(r.amount_minor), 0) or p.refunded_minor > p.captured_minor
    union all
    select format('%s of %s', id, refund_of_payment_id) from payment r
    where refund_of_payment_id is not null
      and not exists (select from payment p where p.id = r.refund_of_payment_id)
    union all
    select format('%s of %s', r.id, p.id) from payment r, payment p
    where r.refund_of_payment_id = p.id and r.debtor_account_id <> p.creditor_account_id`,

  "a rejected payment and its retry name each other": `
    select format('%s by %s', id, retried_by_payment_id) from payment p
    where retried_by_payment_id is not null and (status <> 'REJECTED' or not exists
      (select from payment r where r.id = p.retried_by_payment_id and r.retry_of_payment_id = p.id))
    union all
    select format('%s of %s', id, retry_of_payment_id) from payment r
    where retry_of_payment_id is not null and not exists
      (select from payment p where p.id = r.retry_of_payment_id and p.retried_by_payment_id = r.id)`,

  "attempts tell the story: failures with their reasons, in order, at most as many as allowed": `
    select format('%s %s %s: %s', id, status, reason, attempts) from payment p
    where (retry_policy is not null) <> (attempts is not null) or attempts is not null and (
      jsonb_array_length(attempts) = 0
      or jsonb_array_length(attempts) > (retry_policy->'maxAttempts')::int
      or (select last_value from (select last_value(a->>'reason') over () as last_value
        from jsonb_array_elements(attempts) a) x limit 1) is distinct from reason
      or exists (select from jsonb_array_elements(attempts) with ordinality a(made, n)
        where n < jsonb_array_length(attempts) and made->>'reason' is null)
      or array(select made->>'time' from jsonb_array_elements(attempts) with ordinality a(made, n) order by n)
        <> array(select made->>'time' from jsonb_array_elements(attempts) a(made) order by 1))`,

  "every entry belongs to a payment and an account": `
    select format('entry %s of %s', entry_sequence, account_id) from entry e
    where not exists (select from payment p where p.id = e.payment_id)
    union all
    select format('entry %s of %s', entry_sequence, account_id) from entry e
    where not exists (select from account a where a.id = e.account_id)`,

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

  "what an account holds is what its open holds have left": `
    select format('%s: %s', id, held_minor) from account a where held_minor <>
      (select coalesce(sum(amount_minor - captured_minor), 0) from payment
        where debtor_account_id = a.id and status = 'HELD')`,

  "all accounts of a currency sum to 0": `
    select format('%s: %s', currency_code, sum(posted_minor)) from account
    group by currency_code having sum(posted_minor) <> 0`,

  "a delivery is of an event of its payment, for the owner of one of its accounts": `
    select format('%s of %s', d.id, d.event_id) from webhook_delivery d
    where not exists (select from payment_event e where e.event_id = d.event_id
      and e.payment_id = d.payment_id and e.sequence = d.sequence)
    union all
    select format('%s for %s', d.id, w.owner_id) from webhook_delivery d
    join webhook_endpoint w on w.id = d.webhook_endpoint_id join payment p on p.id = d.payment_id
    where not exists (select from account a where a.owner_id = w.owner_id
      and a.id in (p.debtor_account_id, p.creditor_account_id))`,

  "what waits to be published is an event of the log": `
    select format('%s of %s', id, payment_id) from unpublished_event
    except select format('%s of %s', id, payment_id) from payment_event
    union all
    select format('shard %s: %s', shard, id) from unpublished_event
    except select format('shard %s: %s', shard, id) from payment_event`,

  "a key leads to its payment and a payment has one key": `
    select format('%s of %s: %s', k.key, k.owner_id, k.payment_id) from idempotency_key k
    where not exists (select from payment p where p.id = k.payment_id)
    union all
    select format('%s of %s: %s', idempotency_key, owner_id, id) from payment p
    where (select count(*) from idempotency_key k where k.owner_id = p.owner_id
      and k.key = p.idempotency_key and p.id in (k.payment_id, k.command_id)) <> 1`,
};

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

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
