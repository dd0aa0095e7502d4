import type { Database } from "../platform/database.ts";
import type { DisabledReason } from "./webhook-endpoint.entity.ts";

/** A delivery that this notifier, and no other, is to send now. */
export interface ClaimedDelivery {
  readonly id: string;
  readonly endpointId: string;
  /** When its endpoint was last changed, in ms since 1970. */
  readonly endpointMs: number;
  readonly url: string;
  /** One, or two while a rotation's grace period runs. */
  readonly secrets: readonly Buffer[];
  readonly body: string;
  /** The number of this attempt: what comes of it counts as long as there is no later one. */
  readonly attempt: number;
  /** Attempts that failed before. */
  readonly failures: number;
}

/** What came of an attempt. */
export interface AttemptResult {
  readonly id: string;
  readonly endpointId: string;
  /** As it was claimed: who says that it's gone says so of the endpoint as it was then. */
  readonly endpointMs: number;
  readonly attempt: number;
  readonly outcome: "delivered" | "failed" | "gone";
  /** Undefined: there was no answer. */
  readonly statusCode: number | undefined;
  /** Undefined: nothing failed. */
  readonly error: string | undefined;
  /** When to try again, if it failed. */
  readonly waitMs: number;
  /** How long the endpoint wants to be left alone with everything. */
  readonly pauseMs: number;
}

/** An endpoint that was disabled because of what came of attempts. */
export interface DisabledEndpoint {
  readonly id: string;
  readonly ownerId: string;
  readonly reason: DisabledReason;
}

/** What waits for endpoints that are enabled. */
export interface DeliveryBacklog {
  /** Counted up to a million. */
  readonly deliveries: number;
  /** For how long the oldest has been due; 0 if nothing is. */
  readonly oldestSeconds: number;
}

/** The deliveries that wait to be sent. */
export interface DeliveryQueue {
  /**
   * Claims at most `limit` that are due, so many that 16 of an endpoint and 64 of an owner are under
   * way at most; those first of whose endpoint the fewest are. Whoever has claimed them and says
   * nothing for 15 s loses them to others.
   */
  claim(limit: number, underWay: ReadonlyMap<string, number>): Promise<ClaimedDelivery[]>;
  /** Writes what came of attempts; returns the endpoints that were disabled by it. */
  write(results: readonly AttemptResult[]): Promise<DisabledEndpoint[]>;
  backlog(): Promise<DeliveryBacklog>;
}

/** From the claim until another notifier may send it. */
export const CLAIM_MS = 15_000;
const MAX_OF_AN_ENDPOINT = 16;
/** A quarter of what a notifier sends at a time. */
const MAX_OF_AN_OWNER = 64;
/** So many times in a row nothing came through: from then on one delivery at a time is tried. */
const FAILURES_TO_PAUSE = 10;
/** A delivery is given up, and an endpoint disabled, after so long without success. */
const GIVE_UP_DAYS = 3;
const MAX_COUNTED = 1_000_000;

// Endpoint by endpoint, by their place in the index, so that what waits for one that is disabled
// costs one look. Those of an ordered one wait until nothing earlier of their payment does.
const CLAIM = `
  with recursive waiting (id) as (
    (select webhook_endpoint_id from webhook_delivery where next_attempt_time is not null
      order by webhook_endpoint_id limit 1)
    union all
    select (select d.webhook_endpoint_id from webhook_delivery d
      where d.next_attempt_time is not null and d.webhook_endpoint_id > w.id
      order by d.webhook_endpoint_id limit 1)
    from waiting w where w.id is not null),
  busy as (
    select e.id, e.owner_id, b.n from unnest($1::uuid[], $2::int[]) as b(id, n)
    join webhook_endpoint e on e.id = b.id),
  owned as (select owner_id, sum(n)::int as n from busy group by owner_id),
  found as (
    select d.id, e.owner_id, coalesce(owned.n, 0) as of_owner, coalesce(busy.n, 0)
      + row_number() over (partition by e.id order by d.next_attempt_time) as turn
    from waiting w
    join webhook_endpoint e on e.id = w.id and e.enabled
      and coalesce(e.pause_time <= clock_timestamp(), true)
    left join busy on busy.id = e.id
    left join owned on owned.owner_id = e.owner_id
    cross join lateral (
      select d.id, d.next_attempt_time from webhook_delivery d
      where d.webhook_endpoint_id = e.id and d.next_attempt_time <= (select clock_timestamp())
        and not (e.ordered and exists (select from webhook_delivery b
          where b.webhook_endpoint_id = e.id and b.payment_id = d.payment_id
            and b.sequence < d.sequence and b.next_attempt_time is not null))
      order by d.next_attempt_time
      limit greatest(0, least($3, ${MAX_OF_AN_OWNER} - coalesce(owned.n, 0),
        case when e.failures < ${FAILURES_TO_PAUSE} then ${MAX_OF_AN_ENDPOINT} else 1 end
          - coalesce(busy.n, 0)))
      for no key update skip locked) d),
  fair as (
    select id, turn, of_owner + row_number() over (partition by owner_id order by turn) as of_owner
    from found),
  chosen as (select id from fair where of_owner <= ${MAX_OF_AN_OWNER} order by turn limit $3)
  update webhook_delivery d
  set attempt = d.attempt + 1,
    first_attempt_time = coalesce(d.first_attempt_time, clock_timestamp()),
    last_attempt_time = clock_timestamp(),
    next_attempt_time = clock_timestamp() + interval '${CLAIM_MS} ms'
  from webhook_endpoint e
  where d.id = any(array(select id from chosen)) and e.id = d.webhook_endpoint_id
  returning d.id, e.id as endpoint_id, e.url, e.secret, d.body, d.attempt, d.failures,
    (extract(epoch from e.update_time) * 1000)::float8 as endpoint_ms,
    case when e.previous_expire_time > clock_timestamp() then e.previous_secret end as previous`;

// Endpoints are locked in order, those alone of which something changes. One that is gone is
// disabled, whatever came through beside it, unless it was changed since that attempt began. A
// delivery is given up only if something else came through since it was first tried: otherwise it's
// the endpoint that is at fault, which is disabled, and everything waits.
const WRITE = `
  with r as (select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::int[],
      $6::text[], $7::float8[], $8::float8[], $9::float8[])
    as r(id, endpoint_id, attempt, outcome, status_code, error, wait_ms, pause_ms, endpoint_ms)),
  told as (select endpoint_id as id, bool_or(outcome = 'delivered') as is_alive,
      max(endpoint_ms) filter (where outcome = 'gone') as gone_ms, max(pause_ms) as pause_ms
    from r group by 1),
  locked as (select e.id, told.is_alive,
      coalesce(e.update_time = to_timestamp(told.gone_ms / 1000), false) as is_gone,
      case when not told.is_alive and e.failures + 1 >= ${FAILURES_TO_PAUSE} then greatest(told.pause_ms,
        least(1000 * 2.0 ^ least(e.failures + 1 - ${FAILURES_TO_PAUSE}, 9), 300000) * (0.5 + random() / 2))
      else told.pause_ms end as pause_ms,
      e.failing_since <= clock_timestamp() - interval '${GIVE_UP_DAYS} days' as is_dead
    from webhook_endpoint e join told on told.id = e.id
    where e.enabled and (not told.is_alive or told.gone_ms is not null or e.failures > 0
      or told.pause_ms > 0)
    order by e.id for no key update of e),
  delivery as (
    update webhook_delivery d set
      status = case when r.outcome = 'delivered' then 'DELIVERED'
        when g.is_given_up then 'FAILED' else 'PENDING' end,
      failures = d.failures + (r.outcome <> 'delivered')::int,
      status_code = r.status_code, error = r.error,
      deliver_time = case when r.outcome = 'delivered' then clock_timestamp() end,
      next_attempt_time = case when r.outcome <> 'delivered' and not g.is_given_up
        then clock_timestamp() + r.wait_ms * interval '1 ms' end
    from r left join webhook_endpoint e on e.id = r.endpoint_id
    join webhook_delivery was on was.id = r.id
    cross join lateral (select r.outcome = 'failed'
      and was.first_attempt_time <= clock_timestamp() - interval '${GIVE_UP_DAYS} days'
      and coalesce(e.failing_since > was.first_attempt_time + interval '1 minute', true)
      as is_given_up) g
    where d.id = r.id and d.attempt = r.attempt and d.status = 'PENDING')
  update webhook_endpoint e set
    failures = case when l.is_alive then 0 else e.failures + 1 end,
    failing_since = case when not l.is_alive then coalesce(e.failing_since, clock_timestamp()) end,
    pause_time = case when l.pause_ms > 0
      then greatest(e.pause_time, clock_timestamp() + l.pause_ms * interval '1 ms')
      else e.pause_time end,
    enabled = not (l.is_gone or not l.is_alive and coalesce(l.is_dead, false)),
    disabled_reason = case when l.is_gone then 'gone'
      when not l.is_alive and l.is_dead then 'failing' end,
    update_time = case when l.is_gone or not l.is_alive and l.is_dead
      then clock_timestamp() else e.update_time end
  from locked l where e.id = l.id
  returning e.id, e.owner_id, e.disabled_reason`;

const BACKLOG = `
  select (select count(*) from (select from webhook_delivery d join webhook_endpoint e
      on e.id = d.webhook_endpoint_id and e.enabled
      where d.next_attempt_time is not null limit ${MAX_COUNTED}) u)::int as deliveries,
    coalesce(extract(epoch from clock_timestamp() - min(d.next_attempt_time)), 0)::float8 as oldest
  from webhook_endpoint e cross join lateral (
    select next_attempt_time from webhook_delivery d
    where d.webhook_endpoint_id = e.id and d.next_attempt_time <= (select clock_timestamp())
    order by next_attempt_time limit 1) d
  where e.enabled`;

interface ClaimedRow {
  readonly id: string;
  readonly endpoint_id: string;
  readonly endpoint_ms: number;
  readonly url: string;
  readonly secret: Buffer;
  readonly previous: Buffer | null;
  readonly body: string;
  readonly attempt: number;
  readonly failures: number;
}

/** The queue in `webhook_delivery`, by PostgreSQL's clock. */
export function createDeliveryQueue({
  outboxPool: pool,
}: Pick<Database, "outboxPool">): DeliveryQueue {
  return {
    async claim(limit, underWay) {
      const { rows } = await pool.query<ClaimedRow>({
        name: "webhooks-claim",
        text: CLAIM,
        values: [[...underWay.keys()], [...underWay.values()], limit],
      });
      return rows.map(({ endpoint_id: endpointId, endpoint_ms: endpointMs, ...row }) => ({
        ...row,
        endpointId,
        endpointMs,
        secrets: row.previous === null ? [row.secret] : [row.secret, row.previous],
      }));
    },
    async write(results) {
      const values = [
        results.map(({ id }) => id),
        results.map(({ endpointId }) => endpointId),
        results.map(({ attempt }) => attempt),
        results.map(({ outcome }) => outcome),
        results.map(({ statusCode }) => statusCode),
        results.map(({ error }) => error),
        results.map(({ waitMs }) => waitMs),
        results.map(({ pauseMs }) => pauseMs),
        results.map(({ endpointMs }) => endpointMs),
      ];
      const { rows } = await pool.query<{
        id: string;
        owner_id: string;
        disabled_reason: DisabledReason | null;
      }>({ name: "webhooks-write", text: WRITE, values });
      return rows.flatMap(({ id, owner_id: ownerId, disabled_reason: reason }) =>
        reason === null ? [] : [{ id, ownerId, reason }],
      );
    },
    async backlog() {
      const { rows } = await pool.query<{ deliveries: number; oldest: number }>(BACKLOG);
      return { deliveries: rows[0]!.deliveries, oldestSeconds: Math.max(0, rows[0]!.oldest) };
    },
  };
}
