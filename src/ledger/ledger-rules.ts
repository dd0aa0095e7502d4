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
    select p.id as subject_id, format('%s of %s has %s on its debtor and %s on its creditor account',
      p.status, p.amount_minor, coalesce(e.debtor, 0), coalesce(e.creditor, 0)) as detail
    from payment p left join (
      select payment_id, count(*) as legs,
        min(amount_minor) filter (where amount_minor < 0) as debtor,
        max(amount_minor) filter (where amount_minor > 0) as creditor,
        min(account_id::text) filter (where amount_minor < 0) as debtor_id,
        min(account_id::text) filter (where amount_minor > 0) as creditor_id
      from entry group by payment_id) e on e.payment_id = p.id
    where case p.status
      when 'SETTLED' then e.legs is distinct from 2 or e.debtor is distinct from -p.amount_minor
        or e.creditor is distinct from p.amount_minor
        or e.debtor_id is distinct from p.debtor_account_id::text
        or e.creditor_id is distinct from p.creditor_account_id::text
      else e.legs is not null end`,

  PAYMENT_BALANCE_AFTER_WRONG: `
    select p.id as subject_id, format('entry %s of account %s has %s as the balance after it',
      e.entry_sequence, e.account_id, e.balance_after_minor) as detail
    from payment p join entry e on e.payment_id = p.id
    where e.balance_after_minor is distinct from case e.account_id
      when p.debtor_account_id then p.debtor_balance_after_minor
      when p.creditor_account_id then p.creditor_balance_after_minor end`,

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

  HELD_WITHOUT_HOLD: `
    select id as subject_id, format('held is %s, open holds are 0', held_minor) as detail
    from account where held_minor <> 0`,

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

  PAYMENT_KEY_WRONG: `
    select p.id as subject_id, format('key %L leads to %s', p.idempotency_key,
      coalesce(k.payment_id::text, 'nothing')) as detail
    from payment p left join idempotency_key k on k.owner_id = p.owner_id and k.key = p.idempotency_key
    where k.payment_id is distinct from p.id and p.create_time > now() - interval '30 days'`,

  KEY_WITHOUT_PAYMENT: `
    select k.payment_id as subject_id, format('key %L of %s', k.key, k.owner_id) as detail
    from idempotency_key k where not exists
      (select from payment p where p.id = k.payment_id and p.create_time = k.create_time)`,
} as const;

/** The name of a rule; a finding's kind. */
export type RuleName = keyof typeof LEDGER_RULES;
