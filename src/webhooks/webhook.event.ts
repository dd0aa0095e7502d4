import { fromBinary, toJsonString } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { PaymentEventSchema, PaymentReason } from "../../gen/instantpayment/v1/payment_pb.ts";
import type { SeenPayment } from "../payments/payment.ts";
import { hideOtherSideOfEvent } from "../payments/payment.event.ts";
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
  const event = hideOtherSideOfEvent(fromBinary(PaymentEventSchema, payload), sides);
  return toJsonString(PaymentEventSchema, event, { alwaysEmitImplicit: true });
}
