import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  PaymentEventSchema,
  PaymentEventType,
  PaymentReason,
  PaymentStatus,
  type PaymentEvent,
} from "../../gen/instantpayment/v1/payment_pb.ts";
import type { PaymentChange } from "../ledger/posting.ts";
import type { PaymentRow } from "./payment.entity.ts";
import { hideOtherSide, toPaymentMessage } from "./payment.message.ts";
import { isOver, sidesSeen, type OwnSides, type SeenPayment } from "./payment.ts";
import type { PaymentNews } from "./watch-payment.ts";

/** Encodes a change as `instantpayment.v1.PaymentEvent`, with the payment as an admin sees it. */
export function encodePaymentEvent(eventId: string, change: PaymentChange): Uint8Array {
  const { payment } = change;
  const event = create(PaymentEventSchema, {
    eventId,
    sequence: payment.sequence,
    type: PaymentEventType[change.type],
    payment: toPaymentMessage({ payment, asDebtor: true, asCreditor: true }),
    previousStatus: PaymentStatus[change.previousStatus ?? "UNSPECIFIED"],
    occurTime: timestampFromDate(change.occurTime),
    debtorEntrySequence: BigInt(change.debtorEntrySequence),
    creditorEntrySequence: BigInt(change.creditorEntrySequence),
  });
  return toBinary(PaymentEventSchema, event);
}

/**
 * What a watcher is told of news, undefined if it isn't for the sides that are the watcher's own;
 * and whether no more can come.
 */
export function toWatchedEvent(
  news: Exclude<PaymentNews, { readonly kind: "heartbeat" }>,
  own: OwnSides,
): { event: PaymentEvent | undefined; isLast: boolean } {
  const event =
    news.kind === "event" ? fromBinary(PaymentEventSchema, news.payload) : toState(news.payment);
  const payment = event.payment!;
  const isLast = isOver({
    status: nameOf(PaymentStatus, payment.status) as PaymentRow["status"],
    capturedMinor: payment.capturedMinor,
    refundedMinor: payment.refundedMinor,
    refundOfPaymentId: payment.refundOfPaymentId || null,
    retriedByPaymentId: payment.retriedByPaymentId || null,
  });
  const reason = nameOf(PaymentReason, payment.reason) as keyof typeof PaymentReason;
  const sides = sidesSeen(own, { reason: reason === "UNSPECIFIED" ? null : reason });
  if (!sides.asDebtor && !sides.asCreditor) return { event: undefined, isLast };
  return { event: hideOtherSideOfEvent(event, sides), isLast };
}

/** Takes out of an event with its payment what only the side may see that its reader isn't on. */
export function hideOtherSideOfEvent(
  event: PaymentEvent,
  sides: Pick<SeenPayment, "asDebtor" | "asCreditor">,
): PaymentEvent {
  hideOtherSide(event.payment!, sides);
  if (!sides.asDebtor) {
    event.debtorEntrySequence = 0n;
    // Pending, it wasn't the creditor's to see: to them it's new when it's held or settled.
    if (event.previousStatus === PaymentStatus.PENDING) {
      event.previousStatus = PaymentStatus.UNSPECIFIED;
    }
  }
  if (!sides.asCreditor) event.creditorEntrySequence = 0n;
  return event;
}

/** A payment as it is, in the form of an event that the log doesn't have any more. */
function toState(payment: PaymentRow): PaymentEvent {
  return create(PaymentEventSchema, {
    sequence: payment.sequence,
    payment: toPaymentMessage({ payment, asDebtor: true, asCreditor: true }),
    occurTime: timestampFromDate(payment.updateTime),
  });
}

/** An encoded event in JSON, and the part of it that people look at. */
export function decodePaymentEvent(payload: Uint8Array) {
  const event = fromBinary(PaymentEventSchema, payload);
  const payment = event.payment!;
  return {
    json: toJson(PaymentEventSchema, event, { alwaysEmitImplicit: true }),
    event: {
      sequence: event.sequence,
      type: nameOf(PaymentEventType, event.type),
      reason: payment.reason === 0 ? undefined : nameOf(PaymentReason, payment.reason),
      occurTime: event.occurTime ? timestampDate(event.occurTime).toISOString() : "",
      payment: {
        id: payment.id,
        amountMinor: payment.amount?.amountMinor ?? 0n,
        currencyCode: payment.amount?.currencyCode ?? "",
        capturedMinor: payment.capturedMinor,
        refundedMinor: payment.refundedMinor,
        debtorAccountId: payment.debtorAccountId,
        creditorAccountId: payment.creditorAccountId,
      },
    },
  };
}

function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(names).find((name) => names[name] === value) ?? String(value);
}
