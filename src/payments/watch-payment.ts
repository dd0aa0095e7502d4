import { createWatch, type News, type Question, type Watch } from "../events/watch.ts";
import type { Call } from "../kernel/call.ts";
import type { Clock } from "../kernel/clock.ts";
import { invalidField } from "../kernel/errors.ts";
import { uuidv7TimeMs } from "../kernel/ids.ts";
import type { Database } from "../platform/database.ts";
import type { Logger } from "../platform/logger.ts";
import type { FindPayment } from "./find-payment.ts";
import { createFindWatched, type FoundPayment } from "./find-watched-payment.ts";
import type { PaymentRow } from "./payment.entity.ts";
import { isOver, type OwnSides } from "./payment.ts";

/** Which payment to follow, and from where on. */
export interface WatchPayment {
  readonly paymentId: string;
  /** Undefined: from the latest event on. */
  readonly afterSequence: number | undefined;
}

/** What a watcher of a payment hears. */
export type PaymentNews =
  /** An event as the log has it: not every watcher may see all of it. */
  | { readonly kind: "event"; readonly payload: Uint8Array }
  /** In place of events that the log doesn't have any more. */
  | { readonly kind: "state"; readonly payment: PaymentRow }
  | { readonly kind: "heartbeat" };

/** A payment that is followed. */
export interface WatchedPayment {
  readonly own: OwnSides;
  /** Doesn't end by itself, unless no news can come; throws the signal's reason. */
  readonly news: AsyncIterable<PaymentNews>;
}

/**
 * Follows a payment until the signal is aborted. Throws PAYMENT_NOT_FOUND if the caller doesn't see
 * it (yet), INVALID_FIELD for a sequence that the payment hasn't reached.
 */
export type WatchPaymentUseCase = (
  call: Call,
  request: WatchPayment,
  signal: AbortSignal,
) => Promise<WatchedPayment>;

/** The sequence of the last event that is known. */
type Place = number;

interface Events extends News {
  /** In order, and above the place; not all of them if the log hasn't all any more. */
  readonly events: readonly LoggedEvent[];
}

interface LoggedEvent {
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** Events of one payment that one look brings at most. */
const PAGE = 64;

/**
 * A payment by its primary key, and only of one that has changed the events. Those are in the log's
 * days from the payment's creation to its latest change; the hour is for clocks that differed when
 * its id was made.
 */
const LOOK = `
  select w.n::int, p.sequence as latest, e.sequence, e.payload
  from unnest($1::uuid[], $2::int[], $3::float8[]) with ordinality as w(id, after, created_ms, n)
  join payment p on p.create_time = to_timestamp(w.created_ms / 1000) and p.id = w.id
    and p.sequence > w.after
  left join lateral (
    select sequence, payload from payment_event
    where payment_id = w.id and sequence > w.after
      and create_time between p.create_time - interval '1 hour' and p.update_time
    order by sequence limit ${PAGE}) e on true`;

interface LookRow {
  readonly n: number;
  readonly latest: number;
  readonly sequence: number | null;
  readonly payload: Buffer | null;
}

/** What watchers of payments need; `heartbeatMs` is for tests. */
export interface PaymentWatcherDeps {
  readonly database: Database;
  readonly findPayment: FindPayment;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly heartbeatMs?: number;
}

/** The watchers of payments in this process. */
export interface PaymentWatchers {
  readonly watchPayment: WatchPaymentUseCase;
  /** Tells that these payments were changed in this process. */
  readonly wakePayments: (paymentIds: Iterable<string>) => void;
}

function createPaymentWatch(deps: PaymentWatcherDeps): Watch<Place, Events> {
  const { watchPool } = deps.database;
  return createWatch({
    ...deps,
    keyOf: String,
    async look(questions) {
      const { rows } = await watchPool.query<LookRow>({
        name: "watch-payments",
        text: LOOK,
        values: [
          `{${questions.map(({ id }) => id).join(",")}}`,
          `{${questions.map(({ place }) => place).join(",")}}`,
          `{${questions.map(({ id }) => uuidv7TimeMs(id)).join(",")}}`,
        ],
      });
      return answersOf(questions, rows);
    },
  });
}

function answersOf(
  questions: readonly Question<Place>[],
  rows: readonly LookRow[],
): Map<number, Events> {
  const answers = new Map<number, Events>();
  for (const [n, found] of Map.groupBy(rows, (row) => row.n)) {
    const events = found
      .flatMap(({ sequence, payload }) => (sequence && payload ? [{ sequence, payload }] : []))
      .toSorted((a, b) => a.sequence - b.sequence);
    const known = events.at(-1)?.sequence ?? questions[n - 1]!.place;
    answers.set(n - 1, { events, hasMore: known < found[0]!.latest });
  }
  return answers;
}

/** Makes the use case. */
export function createPaymentWatchers(deps: PaymentWatcherDeps): PaymentWatchers {
  const { findPayment } = deps;
  const paymentWatch = createPaymentWatch(deps);
  const find = createFindWatched(deps.database);
  const watchPayment: WatchPaymentUseCase = async (call, request, signal) => {
    const { paymentId, afterSequence } = request;
    const { payment, own } = await find(call, paymentId);
    const after = afterSequence ?? payment.sequence - 1;
    if (after > payment.sequence) {
      throw invalidField("after_sequence", `is above the payment's, ${payment.sequence}`);
    }
    return { own, news: follow(payment, after) };

    async function* follow(start: FoundPayment, after: number): AsyncGenerator<PaymentNews> {
      if (after === start.sequence && isOver(start)) return;
      const watcher = paymentWatch.open(paymentId, signal);
      let place = after;
      for (;;) {
        const found = await watcher.next(place);
        if (found === undefined) {
          yield { kind: "heartbeat" };
          continue;
        }
        const isWhole = found.events.every(({ sequence }, i) => sequence === place + 1 + i);
        if (isWhole && found.events.length > 0) {
          for (const { payload } of found.events) yield { kind: "event", payload };
          place += found.events.length;
        } else {
          const { payment: now } = await findPayment.get(call, paymentId);
          yield { kind: "state", payment: now };
          place = now.sequence;
        }
      }
    }
  };
  return { watchPayment, wakePayments: (ids) => paymentWatch.wake(ids) };
}
