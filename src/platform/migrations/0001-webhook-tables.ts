/**
 * The part of the first schema that is about webhooks. There's no foreign key: an endpoint is
 * removed at once, its deliveries bit by bit.
 */
export const webhookTables = [
  `create table webhook_endpoint (
    id uuid primary key,
    owner_id text not null,
    url text not null,
    event_types text[] not null,
    description text not null,
    ordered boolean not null,
    secret bytea not null,
    previous_secret bytea,
    previous_expire_time timestamptz(3),
    enabled boolean not null,
    disabled_reason text,
    failures int not null default 0,
    failing_since timestamptz(3),
    pause_time timestamptz(3),
    create_time timestamptz(3) not null,
    update_time timestamptz(3) not null,
    constraint webhook_endpoint_secret_check check (length(secret) between 24 and 64),
    constraint webhook_endpoint_previous_check check
      ((previous_secret is null) = (previous_expire_time is null)),
    constraint webhook_endpoint_disabled_check check (enabled = (disabled_reason is null))
  )`,
  `create index webhook_endpoint_owner_index on webhook_endpoint (owner_id, id)`,
  `create table webhook_delivery (
    id uuid primary key,
    webhook_endpoint_id uuid not null,
    event_id uuid not null,
    payment_id uuid not null,
    sequence int not null,
    event_type text not null,
    body text not null,
    status text not null default 'PENDING',
    attempt int not null default 0,
    failures int not null default 0,
    status_code int,
    error text,
    occur_time timestamptz(3) not null,
    first_attempt_time timestamptz(3),
    last_attempt_time timestamptz(3),
    next_attempt_time timestamptz(3),
    deliver_time timestamptz(3),
    constraint webhook_delivery_status_check check (status in ('PENDING', 'DELIVERED', 'FAILED')),
    constraint webhook_delivery_next_check check
      ((status = 'PENDING') = (next_attempt_time is not null)),
    constraint webhook_delivery_deliver_check check
      ((status = 'DELIVERED') = (deliver_time is not null))
  ) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500)`,
  `create index webhook_delivery_endpoint_index on webhook_delivery (webhook_endpoint_id, id)`,
  // Only what waits is in these two.
  `create index webhook_delivery_due_index on webhook_delivery
    (webhook_endpoint_id, next_attempt_time) where next_attempt_time is not null`,
  `create index webhook_delivery_order_index on webhook_delivery
    (webhook_endpoint_id, payment_id, sequence) where next_attempt_time is not null`,
];
