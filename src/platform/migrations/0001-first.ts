import { Migration } from "@mikro-orm/migrations";
import { nextStatuses, PAYMENT_STATUSES, type PaymentStatus } from "../../kernel/payment-states.ts";
import { webhookTables } from "./0001-webhook-tables.ts";

/**
 * The first schema. Columns are those of the entities; what MikroORM can't say stands here:
 * partitions, checks, triggers; those of a payment's life are made of the state machine's table.
 * Partitions themselves are made by
 * `scheduler/partitions.ts`, which every migration run and every start calls.
 */
export class FirstMigration extends Migration {
  override up(): void {
    for (const statement of statements) this.addSql(statement);
  }
}

const list = (statuses: readonly PaymentStatus[]): string =>
  statuses.map((status) => `'${status}'`).join(", ");

/** Every way of the state machine, as pairs. */
const transitions = PAYMENT_STATUSES.flatMap((from) =>
  nextStatuses(from).map((to) => `('${from}', '${to}')`),
).join(", ");

const statements = [
  `create table account (
    id uuid primary key,
    owner_id text not null,
    currency_code text not null,
    posted_minor bigint not null,
    held_minor bigint not null,
    overdraft_mode text not null,
    overdraft_limit_minor bigint not null,
    status text not null,
    version bigint not null default 1,
    entry_sequence bigint not null,
    metadata jsonb not null,
    create_time timestamptz(3) not null,
    update_time timestamptz(3) not null,
    constraint account_overdraft_mode_check check (overdraft_mode in ('NONE', 'LIMITED', 'UNBOUNDED')),
    constraint account_overdraft_limit_check check
      (overdraft_limit_minor >= 0 and (overdraft_mode = 'LIMITED') = (overdraft_limit_minor > 0)),
    constraint account_status_check check (status in ('OPEN', 'FROZEN', 'CLOSED')),
    constraint account_closed_check check (status <> 'CLOSED' or (posted_minor = 0 and held_minor = 0)),
    constraint account_held_check check (held_minor >= 0),
    constraint account_floor_check check
      (overdraft_mode = 'UNBOUNDED' or posted_minor - held_minor + overdraft_limit_minor >= 0)
  ) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500)`,
  `create index account_owner_index on account (owner_id, id)`,

  `create table payment (
    create_time timestamptz(3) not null,
    id uuid not null,
    owner_id text not null,
    idempotency_key text not null,
    debtor_account_id uuid not null,
    creditor_account_id uuid not null,
    currency_code text not null,
    amount_minor bigint not null,
    status text not null,
    reason text,
    reason_detail text,
    end_to_end_id text not null,
    remittance_information text not null,
    metadata jsonb not null,
    expire_time timestamptz(3),
    sequence int not null,
    captured_minor bigint not null,
    refunded_minor bigint not null default 0,
    refund_of_payment_id uuid,
    retry_of_payment_id uuid,
    retried_by_payment_id uuid,
    hold_duration_ms int,
    retry_policy jsonb,
    attempts jsonb,
    due_time timestamptz(3),
    debtor_balance_after_minor bigint,
    creditor_balance_after_minor bigint,
    update_time timestamptz(3) not null,
    primary key (create_time, id),
    constraint payment_amount_check check (amount_minor between 1 and 9007199254740991),
    constraint payment_sides_check check (debtor_account_id <> creditor_account_id),
    constraint payment_status_check check (status in (${list(PAYMENT_STATUSES)})),
    constraint payment_start_check check (sequence > 1 or status in (${list(nextStatuses("NEW"))})),
    constraint payment_reason_check check (case
      when status in ('PENDING', 'REJECTED') then reason is not null
      when status in ('HELD', 'SETTLED') then reason is null
      else true end),
    constraint payment_captured_check check (captured_minor >= 0 and case status
      when 'SETTLED' then captured_minor between 1 and amount_minor
      when 'HELD' then captured_minor < amount_minor
      else captured_minor = 0 end),
    constraint payment_refunded_check check (refunded_minor between 0 and captured_minor),
    constraint payment_due_check check ((status in ('PENDING', 'HELD')) = (due_time is not null)
      and (due_time is null or expire_time is not null)),
    constraint payment_balance_check check (case when captured_minor > 0
      then debtor_balance_after_minor is not null and creditor_balance_after_minor is not null
      else debtor_balance_after_minor is null and creditor_balance_after_minor is null end)
  ) partition by range (create_time)`,
  `create index payment_debtor_index on payment (debtor_account_id, create_time, id)`,
  `create index payment_creditor_index on payment (creditor_account_id, create_time, id)`,
  // Only open payments are in it, so it costs the others nothing.
  `create index payment_due_index on payment (due_time) where due_time is not null`,
  `create index payment_expire_index on payment (expire_time) where due_time is not null`,
  `create function refuse_payment_change() returns trigger language plpgsql as $$
  begin
    -- The scheduler claims what is due by moving the due time and nothing else.
    old.due_time := new.due_time;
    if old is not distinct from new then return new; end if;
    if (old.status, new.status) not in (${transitions})
      or new.sequence <= old.sequence
      or new.captured_minor < old.captured_minor or new.refunded_minor < old.refunded_minor
      or (new.id, new.create_time, new.owner_id, new.idempotency_key, new.debtor_account_id,
        new.creditor_account_id, new.currency_code, new.amount_minor, new.end_to_end_id,
        new.remittance_information, new.metadata) is distinct from
        (old.id, old.create_time, old.owner_id, old.idempotency_key, old.debtor_account_id,
        old.creditor_account_id, old.currency_code, old.amount_minor, old.end_to_end_id,
        old.remittance_information, old.metadata)
      -- A hold has an end of its own from its first day on.
      or (new.expire_time is distinct from old.expire_time and old.status <> 'PENDING')
      or (old.status = 'SETTLED' and
        (new.captured_minor, new.debtor_balance_after_minor, new.creditor_balance_after_minor)
        is distinct from
        (old.captured_minor, old.debtor_balance_after_minor, old.creditor_balance_after_minor))
    then
      raise exception 'payment % must not change from % to %', old.id, old.status, new.status
        using errcode = 'IP003';
    end if;
    return new;
  end $$`,
  `create trigger payment_transition before update on payment
    for each row execute function refuse_payment_change()`,

  `create table entry (
    account_id uuid not null,
    create_time timestamptz(3) not null,
    entry_sequence bigint not null,
    payment_id uuid not null,
    counterparty_account_id uuid not null,
    amount_minor bigint not null,
    balance_after_minor bigint not null,
    primary key (account_id, create_time, entry_sequence),
    constraint entry_amount_check check (amount_minor <> 0),
    constraint entry_sequence_check check (entry_sequence > 0)
  ) partition by range (create_time)`,
  `create function refuse_change() returns trigger language plpgsql as $$
  begin
    raise exception '% of % is refused: its rows are kept as they are', tg_op, tg_table_name
      using errcode = 'IP002';
  end $$`,
  `create trigger payment_kept before delete on payment
    for each row execute function refuse_change()`,
  `create trigger entry_append_only before update or delete on entry
    for each row execute function refuse_change()`,
  `create trigger entry_no_truncate before truncate on entry
    for each statement execute function refuse_change()`,

  `create table idempotency_key (
    owner_id text not null,
    key text not null,
    request_digest bytea not null,
    payment_id uuid not null,
    create_time timestamptz(3) not null,
    command_id uuid,
    request jsonb,
    primary key (owner_id, key)
  )`,

  `create sequence payment_event_id_seq cache 1`,
  `create table payment_event (
    payment_id uuid not null,
    sequence int not null,
    create_time timestamptz(3) not null,
    id bigint not null default nextval('payment_event_id_seq'),
    event_id uuid not null,
    shard smallint not null,
    payload bytea not null,
    traceparent text,
    primary key (payment_id, sequence, create_time),
    constraint payment_event_shard_check check (shard between 0 and 63)
  ) partition by range (create_time)`,
  // For looking at the log by time: next to nothing to keep, since rows come in order of time.
  `create index payment_event_time_index on payment_event using brin (create_time)`,
  // A queue: what was taken from it has to be cleared away often, however long it is. Its end isn't
  // given back to the disk, for which payments might have to wait.
  `create table unpublished_event (
    shard smallint not null,
    id bigint not null,
    payment_id uuid not null,
    sequence int not null,
    create_time timestamptz(3) not null,
    primary key (shard, id)
  ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
    vacuum_truncate = off)`,

  `create table api_key (
    id uuid primary key,
    owner_id text not null,
    scopes text[] not null,
    display_name text not null,
    secret_digest bytea not null,
    previous_digest bytea,
    previous_expire_time timestamptz(3),
    create_time timestamptz(3) not null,
    rotate_time timestamptz(3) not null,
    expire_time timestamptz(3),
    revoke_time timestamptz(3),
    last_use_time timestamptz(3),
    constraint api_key_digest_check check (length(secret_digest) = 32),
    constraint api_key_previous_check check
      ((previous_digest is null) = (previous_expire_time is null))
  )`,
  `create index api_key_owner_index on api_key (owner_id, id)`,

  // Who publishes the events of a shard, and the relays among whom the shards are shared.
  `create table relay (
    id uuid primary key,
    expire_time timestamptz(3) not null,
    to_kafka boolean not null
  )`,
  `create table relay_lease (
    shard smallint primary key,
    epoch bigint not null default 0,
    relay_id uuid,
    expire_time timestamptz(3) not null default '-infinity',
    constraint relay_lease_shard_check check (shard between 0 and 63)
  ) with (fillfactor = 10)`,
  `insert into relay_lease (shard) select * from generate_series(0, 63)`,

  ...webhookTables,

  // Fails the statement it stands in, and with it the transaction, when fewer rows were changed
  // than were sent: somebody else's version was there first.
  `create function expect_rows(changed bigint, expected bigint) returns bigint
   language plpgsql as $$
   begin
     if changed <> expected then
       raise exception 'version conflict: % of % rows changed', changed, expected
         using errcode = 'IP001';
     end if;
     return changed;
   end $$`,
];
