import { fromBinary } from "@bufbuild/protobuf";
import type { Client } from "pg";
import {
  PaymentEventSchema,
  PaymentEventType,
  PaymentStatus,
} from "../../gen/instantpayment/v1/payment_pb.ts";
import {
  mayBecome,
  PAYMENT_STATUSES,
  type PaymentStatus as Status,
} from "../../src/kernel/payment-states.ts";

interface EventRow {
  readonly event_id: string;
  readonly payment_id: string;
  readonly sequence: number;
  readonly payload: Buffer;
}

interface BookedRow {
  readonly id: string;
  readonly status: Status;
  readonly sequence: number;
  readonly captured_minor: string;
  readonly refunded_minor: string;
  readonly debtor_entries: string[];
  readonly creditor_entries: string[];
}

/** Every payment with the numbers of its entries. */
const BOOKED = `
  select p.id, p.status, p.sequence, p.captured_minor, p.refunded_minor,
    array_remove(array_agg(e.entry_sequence order by e.entry_sequence)
      filter (where e.account_id = p.debtor_account_id), null)::text[] as debtor_entries,
    array_remove(array_agg(e.entry_sequence order by e.entry_sequence)
      filter (where e.account_id = p.creditor_account_id), null)::text[] as creditor_entries
  from payment p left join entry e on e.payment_id = p.id group by p.create_time, p.id`;

/** One event for each change of a payment, in a way of the state machine, that tells the truth. */
export async function findEventBreaches(client: Client): Promise<string[]> {
  const { rows: payments } = await client.query<BookedRow>(BOOKED);
  const { rows } = await client.query<EventRow>(
    "select event_id, payment_id, sequence, payload from payment_event order by payment_id, sequence",
  );
  const events = Map.groupBy(rows, (row) => row.payment_id);
  const known = new Set(payments.map(({ id }) => id));
  return [
    ...[...events.keys()]
      .filter((id) => !known.has(id))
      .map((id) => `an event of no payment: ${id}`),
    ...payments
      .filter((payment) => !isToldBy(events.get(payment.id) ?? [], payment))
      .map(({ id }) => `the events of a payment tell what was booked: ${id}`),
  ];
}

function isToldBy(rows: readonly EventRow[], payment: BookedRow): boolean {
  let status: Status | "NEW" = "NEW";
  const debtorEntries: string[] = [];
  const creditorEntries: string[] = [];
  for (const [i, row] of rows.entries()) {
    const event = fromBinary(PaymentEventSchema, row.payload);
    const next = nameOf(event.payment?.status);
    const before = status === "NEW" ? PaymentStatus.UNSPECIFIED : PaymentStatus[status];
    const isRight =
      event.eventId === row.event_id &&
      event.payment?.id === payment.id &&
      event.sequence === i + 1 &&
      event.payment.sequence === row.sequence &&
      row.sequence === i + 1 &&
      event.previousStatus === before &&
      next !== undefined &&
      mayBecome(status, next) &&
      // Without a new status it tells what happened within the old one.
      (event.type === PaymentEventType[next]) === (next !== status);
    if (!isRight) return false;
    status = next;
    if (event.debtorEntrySequence > 0n) debtorEntries.push(String(event.debtorEntrySequence));
    if (event.creditorEntrySequence > 0n) creditorEntries.push(String(event.creditorEntrySequence));
  }
  const last = rows.at(-1);
  const told = last && fromBinary(PaymentEventSchema, last.payload).payment;
  return (
    rows.length === payment.sequence &&
    status === payment.status &&
    told?.capturedMinor === BigInt(payment.captured_minor) &&
    told.refundedMinor === BigInt(payment.refunded_minor) &&
    debtorEntries.join() === (payment.debtor_entries ?? []).join() &&
    creditorEntries.join() === (payment.creditor_entries ?? []).join()
  );
}

function nameOf(status: PaymentStatus | undefined): Status | undefined {
  return PAYMENT_STATUSES.find((name) => PaymentStatus[name] === status);
}
