import { fromBinary } from "@bufbuild/protobuf";
import {
  type PaymentEvent as WireEvent,
  PaymentEventSchema,
  PaymentEventType as WireType,
  PaymentStatus as WireStatus,
} from "../../gen/instantpayment/v1/payment_pb.ts";
import { invalidInput } from "./error.ts";
import { type Payment, type PaymentStatus, paymentFromWire } from "./payment.ts";
import { countOf, dateOf, nameOf, type NameOut } from "./wire.ts";

/**
 * What happened to a payment. STATE, from watchPayment alone: the payment as it is, of which the
 * service doesn't keep the event any more.
 */
export type PaymentEventType = NameOut<typeof WireType> | "STATE";

/** One committed change of a payment, as Kafka, webhooks and watchPayment tell it. Plain data. */
export interface PaymentEvent {
  /** A UUID that stays the same however often the event is delivered; empty for a STATE. */
  readonly eventId: string;
  /**
   * The payment's `sequence` after this change. Drop an event whose sequence isn't above the last
   * one you saw of the same payment.
   */
  readonly sequence: number;
  readonly type: PaymentEventType;
  /**
   * The payment right after the change: from Kafka as an administrator sees it, from a webhook as
   * its owner does, from watchPayment as the caller does.
   */
  readonly payment: Payment;
  /** The status before the change; undefined for a new payment. */
  readonly previousStatus: PaymentStatus | undefined;
  /** When the change was booked. */
  readonly occurTime: Date;
  /** The number of the entry on the debtor account; 0 if there is none, or none to be seen. */
  readonly debtorEntrySequence: number;
  /** The number of the entry on the creditor account; 0 if there is none, or none to be seen. */
  readonly creditorEntrySequence: number;
}

/**
 * Reads an event from the body of a Kafka message. Throws INVALID_FIELD if it isn't one, or is of a
 * currency that this package doesn't know.
 */
export function decodePaymentEvent(body: Uint8Array): PaymentEvent {
  return eventFromWire(readEvent(body));
}

/** An event off the wire. Throws INVALID_FIELD if it lacks its payment, or its currency is unknown. */
export function eventFromWire(event: WireEvent): PaymentEvent {
  if (event.payment?.amount === undefined) throw invalidInput("body", "isn't a PaymentEvent");
  return {
    eventId: event.eventId,
    sequence: event.sequence,
    type: nameOf(WireType, event.type) ?? "STATE",
    payment: paymentFromWire(event.payment),
    previousStatus: nameOf(WireStatus, event.previousStatus),
    occurTime: dateOf(event.occurTime),
    debtorEntrySequence: countOf(event.debtorEntrySequence),
    creditorEntrySequence: countOf(event.creditorEntrySequence),
  };
}

function readEvent(body: Uint8Array): WireEvent {
  try {
    return fromBinary(PaymentEventSchema, body);
  } catch {
    throw invalidInput("body", "isn't a PaymentEvent");
  }
}
