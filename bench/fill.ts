import { Client } from "pg";
import { dropIndexes } from "./indexes.ts";

/** Accounts 1 to this have money; account 0, which may owe any amount, is where it came from. */
export const ACCOUNTS = 10_000;
/** Whose they are, and whose key pays from them. */
export const OWNER = "bench";

const START_MINOR = 1_000_000_000_000;
const CHUNK = 250_000;
/** The tables that grow with the payments. */
const FILLED = ["payment", "entry", "idempotency_key", "payment_event"];

/** The id of the account of a number; the load generator makes the same. */
const account = (number: string) =>
  `('00000000-0000-7000-8000-' || lpad((${number})::text, 12, '0'))::uuid`;

/** Opens and funds the accounts of a migrated, empty database, with all that belongs to it. */
export async function fundAccounts(url: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.query(OPEN_ACCOUNTS);
    await client.query(`with paid as materialized (${FUNDING}) ${WRITE}`);
    await client.query("vacuum analyze");
  });
}

/**
 * Adds settled payments between the accounts, as if they had been made evenly since midnight: at
 * least `rows`, in whole thousands of ten. Balances end as they began.
 */
export async function addPayments(url: string, rows: number): Promise<void> {
  const rounds = Math.ceil(rows / ACCOUNTS);
  const total = rounds * ACCOUNTS;
  await withClient(url, async (client) => {
    const { rows: clock } = await client.query<{ now: Date }>("select now()");
    const nowMs = clock[0]!.now.getTime();
    const makeIndexes = await dropIndexes(client, FILLED);
    const times = [nowMs - (nowMs % 86_400_000), nowMs];
    await inChunks(total, async (from, to) => {
      const values = [from, to, ...times, total];
      await withClient(url, (worker) =>
        worker.query(`with paid as materialized (${PAYMENTS}) ${WRITE}`, values),
      );
    });
    await client.query("set maintenance_work_mem = '1GB'");
    await makeIndexes();
    await client.query(
      `update account set entry_sequence = entry_sequence + $1, version = version + $1,
       update_time = now() where owner_id = '${OWNER}'`,
      [2 * rounds],
    );
    await client.query("vacuum analyze");
    await client.query("checkpoint");
  });
}

/** Two at a time: one of them keeps one core busy. */
async function inChunks(
  total: number,
  work: (from: number, to: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < total) {
      const from = next;
      next = Math.min(from + CHUNK, total);
      await work(from, next);
    }
  };
  await Promise.all([worker(), worker()]);
}

async function withClient(url: string, work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

const OPEN_ACCOUNTS = `
  insert into account (id, owner_id, currency_code, posted_minor, held_minor, overdraft_mode,
    overdraft_limit_minor, status, version, entry_sequence, metadata, create_time, update_time)
  select ${account("n")}, case n when 0 then 'bank' else '${OWNER}' end, 'EUR',
    case n when 0 then -${ACCOUNTS * START_MINOR} else ${START_MINOR} end, 0,
    case n when 0 then 'UNBOUNDED' else 'NONE' end, 0, 'OPEN', 2,
    case n when 0 then ${ACCOUNTS} else 1 end, '{}', date_trunc('day', now()), now()
  from generate_series(0, ${ACCOUNTS}) n`;

/** Account 0 pays to each of the others, at midnight. */
const FUNDING = `
  select 'fund ' || n as name, 'admin' as owner,
    floor(extract(epoch from date_trunc('day', now())) * 1000) as ms,
    ${account("0")} as debtor, ${account("n")} as creditor, ${START_MINOR}::bigint as amount,
    n as debtor_sequence, -n::bigint * ${START_MINOR} as debtor_balance,
    1 as creditor_sequence, ${START_MINOR}::bigint as creditor_balance
  from generate_series(1, ${ACCOUNTS}) n`;

/**
 * Payments $1 to $2 - 1 of $5 from the time $3 to $4. In a round of 10,000 each account pays once
 * and is paid once, by the one \`shift\` before it, all the same amount; so sequences and balances
 * can be told without adding anything up.
 */
const PAYMENTS = `
  select 'fill ' || n as name, '${OWNER}' as owner,
    $3::bigint + ($4::bigint - $3::bigint) * n / $5::bigint as ms,
    ${account("payer + 1")} as debtor, ${account("payee + 1")} as creditor, amount,
    2 + 2 * round + (payer >= shift)::int as debtor_sequence,
    ${START_MINOR} - case when payer >= shift then 0 else amount end as debtor_balance,
    2 + 2 * round + (payee < shift)::int as creditor_sequence,
    ${START_MINOR} + case when payee < shift then 0 else amount end as creditor_balance
  from generate_series($1::bigint, $2::bigint - 1) n,
    lateral (select n / ${ACCOUNTS} as round, n % ${ACCOUNTS} as payer) a,
    lateral (select 1 + round * 7919 % ${ACCOUNTS - 1} as shift, 1 + round % 100 as amount) b,
    lateral (select (payer + shift) % ${ACCOUNTS} as payee) c`;

/**
 * Writes \`paid\`: payments, entries, their keys, events that have been published.
 * An id is a UUIDv7 of the payment's time; event payloads have the size of real ones.
 */
const WRITE = `,
  made as materialized (
    select *, to_timestamp(ms / 1000.0)::timestamptz(3) as at, hash::uuid::text as key,
      (lpad(to_hex(ms::bigint), 12, '0') || '7' || substr(hash, 1, 3) || '8' ||
        substr(hash, 4, 15))::uuid as id,
      (substr(hash, 17) || substr(hash, 1, 16))::uuid as event_id
    from paid, lateral (select md5(name) as hash offset 0) h),
  payments as (
    insert into payment (create_time, id, owner_id, idempotency_key, debtor_account_id,
      creditor_account_id, currency_code, amount_minor, status, end_to_end_id,
      remittance_information, metadata, sequence, captured_minor, debtor_balance_after_minor,
      creditor_balance_after_minor, update_time)
    select at, id, owner, key, debtor, creditor, 'EUR', amount, 'SETTLED', '',
      'invoice 2026-0001', '{}', 1, amount, debtor_balance, creditor_balance, at from made),
  entries as (
    insert into entry (account_id, create_time, entry_sequence, payment_id,
      counterparty_account_id, amount_minor, balance_after_minor)
    select debtor, at, debtor_sequence, id, creditor, -amount, debtor_balance from made
    union all
    select creditor, at, creditor_sequence, id, debtor, amount, creditor_balance from made),
  keys as (
    insert into idempotency_key (owner_id, key, request_digest, payment_id, create_time)
    select owner, key, sha256(key::bytea), id, at from made)
  insert into payment_event (payment_id, sequence, create_time, event_id, shard, payload)
  select id, 1, at, event_id, abs(hashtext(name)) % 64,
    decode(repeat('00', 320), 'hex') from made`;
