import type { Client } from "@connectrpc/connect";
import { PaymentStatus as WireStatus } from "../../gen/instantpayment/v1/payment_pb.ts";
import {
  ListPaymentsRequestSchema,
  type PaymentService,
  WatchPaymentRequestSchema,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { eventFromWire, type PaymentEvent } from "./event.ts";
import type { Follow, WatchOptions } from "./follow.ts";
import { type MembersOf, onlyKnown } from "./members.ts";
import { createPaged, type Page, PAGE_OPTIONS, type Paged, type PageOptions } from "./paging.ts";
import { type CreatedPayment, type Payment, paymentFromWire } from "./payment.ts";
import { createPaymentRequest, type NewPayment } from "./payment-request.ts";
import type { CallOptions, MakeCall } from "./retry.ts";
import { type NameIn, numberOf, requestOf, timestampOf } from "./wire.ts";

/** Which payments to list; what isn't given doesn't filter. */
export interface PaymentFilter extends PageOptions, CallOptions {
  /** Only payments of this account, on either side. */
  readonly accountId?: string;
  readonly status?: NameIn<typeof WireStatus>;
  /** Only payments created at this moment or later. */
  readonly startTime?: Date;
  /** Only payments created before this moment. */
  readonly endTime?: Date;
}

const PAYMENT_FILTER: MembersOf<PaymentFilter> = {
  ...PAGE_OPTIONS,
  accountId: true,
  status: true,
  startTime: true,
  endTime: true,
};

/** The methods for payments. */
export interface PaymentMethods {
  /**
   * Moves an amount at once and exactly once, however often the client has to ask. The answer is
   * SETTLED or REJECTED, with `captureMode` also HELD and with a `retryPolicy` PENDING: a decline
   * (no funds ...) is an outcome and isn't thrown. Throws
   * InstantPaymentError; if its `outcomeUnknown` is true, send the same again with its
   * `idempotencyKey`.
   */
  createPayment(payment: NewPayment, options?: CallOptions): Promise<CreatedPayment>;
  /** Returns a payment. Throws PAYMENT_NOT_FOUND. */
  getPayment(paymentId: string, options?: CallOptions): Promise<Payment>;
  /** Lists payments, the latest first, and fetches further pages while it's read. */
  listPayments(filter?: PaymentFilter): Paged<Payment>;
  /**
   * Tells the payment's latest event and then each that comes, once and in order, over broken
   * connections and other instances. Ends by itself when no change can come any more; a settled
   * payment may still be refunded, so leave the loop when you have seen what you wait for. Each
   * iteration starts anew. Throws PAYMENT_NOT_FOUND, and UNAVAILABLE after `timeoutMs` out of reach.
   */
  watchPayment(paymentId: string, options?: WatchOptions): AsyncIterable<PaymentEvent>;
}

/** Makes the methods for payments on top of the generated client. */
export function createPaymentMethods(deps: {
  readonly rpc: Client<typeof PaymentService>;
  readonly makeCall: MakeCall;
  readonly follow: Follow;
}): PaymentMethods {
  const { rpc, makeCall, follow } = deps;
  const read = { writes: false };
  return {
    async createPayment(payment, options = {}) {
      const request = createPaymentRequest(payment);
      const { idempotencyKey, validateOnly } = request;
      const answer = await makeCall({ writes: !validateOnly, idempotencyKey }, options, (attempt) =>
        rpc.createPayment(request, attempt),
      );
      return { ...paymentFromWire(answer.payment!), replayed: answer.replayed };
    },

    async getPayment(paymentId, options = {}) {
      const answer = await makeCall(read, options, (attempt) =>
        rpc.getPayment({ paymentId }, attempt),
      );
      return paymentFromWire(answer.payment!);
    },

    listPayments(filter = {}) {
      const request = listPaymentsRequest(filter);
      return createPaged<Payment, Page<Payment>>(filter, async (pageToken, options) => {
        const answer = await makeCall(read, options, (attempt) =>
          rpc.listPayments({ ...request, pageToken }, attempt),
        );
        const { payments, nextPageToken } = answer;
        return { items: payments.map((payment) => paymentFromWire(payment)), nextPageToken };
      });
    },

    watchPayment(paymentId, options = {}) {
      const { afterSequence } = options;
      const first = requestOf(WatchPaymentRequestSchema, { paymentId, afterSequence });
      return follow(() => {
        let after = first.afterSequence;
        return {
          open: (attempt) => rpc.watchPayment({ ...first, afterSequence: after }, attempt),
          take({ event }) {
            if (event === undefined || event.sequence <= (after ?? 0)) return undefined;
            after = event.sequence;
            return eventFromWire(event);
          },
          ends: true,
        };
      }, options);
    },
  };
}

function listPaymentsRequest(filter: PaymentFilter) {
  const known = onlyKnown(filter, PAYMENT_FILTER, "filter");
  const { accountId, status, startTime, endTime, pageSize } = known;
  return requestOf(ListPaymentsRequestSchema, {
    accountId,
    pageSize,
    status: numberOf(WireStatus, status, "status"),
    startTime: timestampOf(startTime, "startTime"),
    endTime: timestampOf(endTime, "endTime"),
  });
}
