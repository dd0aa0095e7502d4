import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  PaymentEventSchema,
  PaymentEventType,
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
    type: PaymentEventType[payment.status],
    payment: toPaymentMessage({ payment, asDebtor: true, asCreditor: true }),
    previousStatus: PaymentStatus.UNSPECIFIED,
    occurTime: timestampFromDate(change.occurTime),
    debtorEntrySequence: BigInt(change.debtorEntrySequence),
    creditorEntrySequence: BigInt(change.creditorEntrySequence),
  });
  return toBinary(PaymentEventSchema, event);
}
