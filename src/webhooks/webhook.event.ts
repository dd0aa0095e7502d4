import { fromBinary, toJsonString } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  PaymentEventSchema,
  PaymentReason,
  PaymentStatus,
} from "../../gen/instantpayment/v1/payment_pb.ts";
import type { SeenPayment } from "../payments/payment.ts";
import { hideOtherSide } from "../payments/payment.message.ts";
import type { WebhookEvent } from "./plan-deliveries.ts";
import { eventTypeName } from "./webhook.message.ts";

/** Reads an encoded `instantpayment.v1.PaymentEvent`. Throws if it isn't one. */
export function readWebhookEvent(payload: Uint8Array): WebhookEvent {
  const { payment, ...event } = fromBinary(PaymentEventSchema, payload);
  if (!payment?.amount || !event.occurTime || event.eventId === "") {
    throw new Error("it isn't a PaymentEvent");
  }
  return {
    eventId: event.eventId,
    type: eventTypeName(event.type),
    paymentId: payment.id,
    sequence: event.sequence,
    occurTimeMs: timestampMs(event.occurTime),
    debtorAccountId: payment.debtorAccountId,
    creditorAccountId: payment.creditorAccountId,
    isShownToCreditor: payment.reason === PaymentReason.UNSPECIFIED,
    bodyFor: (sides) => toBody(payload, sides),
  };
}

/** The event in JSON as the owner of these sides may see it: as GetPayment shows the payment. */
function toBody(payload: Uint8Array, sides: Pick<SeenPayment, "asDebtor" | "asCreditor">): string {
  const event = fromBinary(PaymentEventSchema, payload);
  hideOtherSide(event.payment!, sides);
  if (!sides.asDebtor) {
    event.debtorEntrySequence = 0n;
    // To the creditor the payment is new when it's held or settled.
    if (event.previousStatus === PaymentStatus.PENDING) {
      event.previousStatus = PaymentStatus.UNSPECIFIED;
    }
  }
  if (!sides.asCreditor) event.creditorEntrySequence = 0n;
  return toJsonString(PaymentEventSchema, event, { alwaysEmitImplicit: true });
}
