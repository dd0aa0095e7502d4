import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  PaymentEventSchema,
  PaymentEventType,
  PaymentReason,
  PaymentStatus,
} from "../../gen/instantpayment/v1/payment_pb.ts";
import type { PaymentChange } from "../ledger/posting.ts";
import { toPaymentMessage } from "./payment.message.ts";

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
        debtorAccountId: payment.debtorAccountId,
        creditorAccountId: payment.creditorAccountId,
      },
    },
  };
}

function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(names).find((name) => names[name] === value) ?? String(value);
}
