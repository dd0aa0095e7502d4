/**
 * What must hold of the ledger, each rule as the query that finds what breaks it: `subject_id` and
 * a `detail` for people. Constraints and triggers make most of them hard to break; these prove that
 * nobody did.
 */
export const LEDGER_RULES = {
  PAYMENT_NOT_BALANCED: `
    select payment_id as subject_id, format('entries sum to %s, not to 0', sum(amount_minor)) as detail
    from entry group by payment_id having sum(amount_minor) <> 0`,

  PAYMENT_ENTRIES_WRONG: `
    select p.id as subject_id, format('%s, captured %s of %s, has %s on its debtor and %s on its creditor account',
      p.status, p.captured_minor, p.amount_minor, coalesce(e.debtor, 0), coalesce(e.creditor, 0)) as detail
    from payment p left join (
      select payment_id, count(*) as legs,
        sum(amount_minor) filter (where amount_minor < 0) as debtor,
        sum(amount_minor) filter (where amount_minor > 0) as creditor,
        array_agg(distinct account_id) filter (where amount_minor < 0) as debtor_ids,
        array_agg(distinct account_id) filter (where amount_minor > 0) as creditor_ids
      from entry group by payment_id) e on e.payment_id = p.id
    where case when p.captured_minor = 0 then e.legs is not null
      else e.debtor is distinct from -p.captured_minor or e.creditor is distinct from p.captured_minor
        or e.debtor_ids is distinct from array[p.debtor_account_id]
        or e.creditor_ids is distinct from array[p.creditor_account_id]
        or p.hold_duration_ms is null and (e.legs <> 2 or p.captured_minor <> p.amount_minor) end`,

  PAYMENT_BALANCE_AFTER_WRONG: `
    select p.id as subject_id, format('entry %s of account %s has %s as the balance after it',
      e.entry_sequence, e.account_id, e.balance_after_minor) as detail
    from payment p join (
      select distinct on (payment_id, account_id) payment_id, account_id, entry_sequence, balance_after_minor
      from entry order by payment_id, account_id, entry_sequence desc) e on e.payment_id = p.id
    where e.balance_after_minor is distinct from case e.account_id
      when p.debtor_account_id then p.debtor_balance_after_minor
      when p.creditor_account_id then p.creditor_balance_after_minor end`,

  SETTLED_AFTER_EXPIRY: `
    select p.id as subject_id, format('entry %s of account %s is from %s, the payment expired at %s',
      e.entry_sequence, e.account_id, e.create_time, p.expire_time) as detail
    from payment p join entry e on e.payment_id = p.id where e.create_time >= p.expire_time`,

  REFUNDS_WRONG: `
    select p.id as subject_id, format('captured %s, refunded %s, but settled refunds sum to %s',
      p.captured_minor, p.refunded_minor, coalesce(r.total, 0)) as detail
    from payment p left join (
      select refund_of_payment_id as id, sum(captured_minor) as total
      from payment where refund_of_payment_id is not null group by 1) r on r.id = p.id
    where p.refunded_minor <> coalesce(r.total, 0) or p.refunded_minor > p.captured_minor`,

  REFUND_SIDES_WRONG: `
    select r.id as subject_id, format('it doesn''t go back the way of %s', r.refund_of_payment_id) as detail
    from payment r left join payment p on p.id = r.refund_of_payment_id
    where r.refund_of_payment_id is not null and
      (r.debtor_account_id, r.creditor_account_id, r.currency_code) is distinct from
      (p.creditor_account_id, p.debtor_account_id, p.currency_code)`,

  RETRY_WRONG: `
    select coalesce(p.id, r.id) as subject_id, format('retried by %s, which is a retry of %s',
      p.retried_by_payment_id, r.retry_of_payment_id) as detail
    from (select * from payment where retried_by_payment_id is not null) p
    full join (select * from payment where retry_of_payment_id is not null) r
      on r.id = p.retried_by_payment_id
    where p.id is null or r.id is null or r.retry_of_payment_id <> p.id or p.status <> 'REJECTED'`,

  ATTEMPTS_WRONG: `
    select id as subject_id, format('%s %s after attempts %s', status, reason, attempts) as detail
    from payment
    where (retry_policy is null) <> (attempts is null) or attempts is not null and
      (jsonb_array_length(attempts) not between 1 and (retry_policy->>'maxAttempts')::int
        or attempts->-1->>'reason' is distinct from reason
        or jsonb_path_exists(attempts, '$[0 to last - 1] ? (@.reason == null)')
        or (attempts->-1->>'time')::timestamptz > update_time)`,

  ENTRY_COUNTERPARTY_WRONG: `
    select e.payment_id as subject_id, format('entry %s of account %s names %s',
      e.entry_sequence, e.account_id, e.counterparty_account_id) as detail
    from payment p join entry e on e.payment_id = p.id
    where e.counterparty_account_id is distinct from case e.account_id
      when p.debtor_account_id then p.creditor_account_id
      when p.creditor_account_id then p.debtor_account_id end`,

  ENTRY_WITHOUT_PAYMENT: `
    select e.payment_id as subject_id,
      format('entry %s of account %s', e.entry_sequence, e.account_id) as detail
    from entry e where not exists (select from payment p where p.id = e.payment_id)`,

  ENTRY_WITHOUT_ACCOUNT: `
    select e.account_id as subject_id, format('entry %s', e.entry_sequence) as detail
    from entry e where not exists (select from account a where a.id = e.account_id)`,

  ENTRY_CURRENCY_WRONG: `
    select e.payment_id as subject_id,
      format('%s booked on account %s in %s', p.currency_code, a.id, a.currency_code) as detail
    from entry e join payment p on p.id = e.payment_id join account a on a.id = e.account_id
    where a.currency_code <> p.currency_code`,

  BALANCE_NOT_SUM_OF_ENTRIES: `
    select a.id as subject_id,
      format('posted is %s, entries sum to %s', a.posted_minor, coalesce(e.total, 0)) as detail
    from account a left join (select account_id, sum(amount_minor) as total from entry group by 1) e
      on e.account_id = a.id
    where a.posted_minor <> coalesce(e.total, 0)`,

  ENTRY_SEQUENCE_GAP: `
    select a.id as subject_id, format('sequence is %s, but %s entries from %s to %s',
      a.entry_sequence, coalesce(e.n, 0), e.first, e.last) as detail
    from account a left join (
      select account_id, count(distinct entry_sequence) as n, count(*) as entries,
        min(entry_sequence) as first, max(entry_sequence) as last
      from entry group by 1) e on e.account_id = a.id
    where a.entry_sequence <> coalesce(e.n, 0) or e.n <> e.entries or e.first <> 1 or e.last <> e.n`,

  RUNNING_BALANCE_WRONG: `
    select account_id as subject_id,
      format('entry %s: balance after is %s, not %s', entry_sequence, balance_after_minor, running) as detail
    from (select account_id, entry_sequence, balance_after_minor, sum(amount_minor)
      over (partition by account_id order by entry_sequence) as running from entry) e
    where balance_after_minor <> running`,

  ENTRY_TIME_GOES_BACK: `
    select account_id as subject_id, format('entry %s is from before the one before it', entry_sequence) as detail
    from (select account_id, entry_sequence, create_time, lag(create_time)
      over (partition by account_id order by entry_sequence) as previous from entry) e
    where create_time < previous`,

  ACCOUNT_BELOW_LIMIT: `
    select id as subject_id, format('available is %s',
      posted_minor - held_minor + overdraft_limit_minor) as detail
    from account
    where overdraft_mode <> 'UNBOUNDED' and posted_minor - held_minor + overdraft_limit_minor < 0`,

  HELD_NOT_SUM_OF_HOLDS: `
    select a.id as subject_id, format('held is %s, open holds sum to %s',
      a.held_minor, coalesce(h.total, 0)) as detail
    from account a left join (
      select debtor_account_id as id, sum(amount_minor - captured_minor) as total
      from payment where status = 'HELD' group by 1) h on h.id = a.id
    where a.held_minor <> coalesce(h.total, 0)`,

  CURRENCY_NOT_BALANCED: `
    select currency_code as subject_id, format('all accounts sum to %s, not to 0', sum(posted_minor)) as detail
    from account group by currency_code having sum(posted_minor) <> 0`,

  // Of events from before the log's oldest day the first are gone, or all of them. The clock by which
  // a payment got its time may have been seconds off.
  PAYMENT_EVENTS_WRONG: `
    select p.id as subject_id, format('sequence is %s, but %s events up to %s',
      p.sequence, coalesce(e.n, 0), e.last) as detail
    from payment p left join (select payment_id, count(*) as n, min(sequence) as first,
      max(sequence) as last from payment_event group by 1) e on e.payment_id = p.id
    cross join (select min(substring(pg_get_expr(c.relpartbound, c.oid)
        from $$FROM \\('([^']+)'\\)$$)::timestamptz) + interval '5 s' as since
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'payment_event'::regclass) log
    where case when e.n is null then p.update_time >= log.since
      else e.last <> p.sequence or e.n <> e.last - e.first + 1
        or (e.first <> 1 and p.create_time >= log.since) end`,

  EVENT_WITHOUT_PAYMENT: `
    select e.payment_id as subject_id, format('event %s', e.event_id) as detail
    from payment_event e where not exists (select from payment p where p.id = e.payment_id)`,

  UNPUBLISHED_WITHOUT_EVENT: `
    select u.payment_id as subject_id, format('event %s of shard %s waits to be published, but isn''t in the log',
      u.id, u.shard) as detail
    from unpublished_event u where not exists (select from payment_event e
      where (e.payment_id, e.sequence, e.create_time, e.id, e.shard)
        = (u.payment_id, u.sequence, u.create_time, u.id, u.shard))`,

  PAYMENT_KEY_WRONG: `
    select p.id as subject_id, format('key %L leads to %s', p.idempotency_key,
      coalesce(k.payment_id::text, 'nothing')) as detail
    from payment p left join idempotency_key k on k.owner_id = p.owner_id and k.key = p.idempotency_key
    where p.id is distinct from k.payment_id and p.id is distinct from k.command_id and p.create_time > now() - interval '30 days'`,

  KEY_WITHOUT_PAYMENT: `
    select k.payment_id as subject_id, format('key %L of %s', k.key, k.owner_id) as detail
    from idempotency_key k where not exists
      (select from payment p where p.id = k.payment_id and p.create_time = k.create_time)`,
} as const;

/** The name of a rule; a finding's kind. */
export type RuleName = keyof typeof LEDGER_RULES;
