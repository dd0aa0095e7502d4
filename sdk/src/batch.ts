import type { Client } from "@connectrpc/connect";
import {
  BatchCreatePaymentsRequestSchema,
  type PaymentService,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import type { InstantPaymentError } from "./error.ts";
import { batchError } from "./failure.ts";
import { type MembersOf, onlyKnown } from "./members.ts";
import { type Payment, paymentFromWire } from "./payment.ts";
import { createPaymentRequest, type NewPayment } from "./payment-request.ts";
import { CALL_OPTIONS, type CallOptions, type MakeCall } from "./retry.ts";
import { requestOf } from "./wire.ts";

/** How a batch of payments is made. */
export interface BatchOptions extends CallOptions {
  /** True: all settle or nothing is written. Default false: each for itself. */
  readonly atomic?: boolean;
}

const BATCH_OPTIONS: MembersOf<BatchOptions> = { ...CALL_OPTIONS, atomic: true };

/** What became of one payment of a batch: the payment, or why there is none. */
export interface BatchResult {
  readonly payment: Payment | undefined;
  /** True if an earlier request with the same key made the payment. */
  readonly replayed: boolean;
  readonly error: InstantPaymentError | undefined;
}

/** The methods for many payments at once. */
export interface BatchMethods {
  /**
   * Makes 1 to 1,000 payments in one call; a result for each, in order. Keys are made and kept
   * over the client's retries as by createPayment. Throws InstantPaymentError for what concerns
   * the whole batch; if its `outcomeUnknown` is true, send the same batch with your own keys again.
   */
  batchCreatePayments(
    payments: readonly NewPayment[],
    options?: BatchOptions,
  ): Promise<BatchResult[]>;
}

/** Makes the methods for many payments on top of the generated client. */
export function createBatchMethods(deps: {
  readonly rpc: Client<typeof PaymentService>;
  readonly makeCall: MakeCall;
}): BatchMethods {
  const { rpc, makeCall } = deps;
  return {
    async batchCreatePayments(payments, given = {}) {
      const { atomic, ...options } = onlyKnown(given, BATCH_OPTIONS, "options");
      const requests = payments.map((one, index) => {
        const name = `payments[${index}]`;
        return createPaymentRequest(one, name, `${name}.`);
      });
      const request = requestOf(BatchCreatePaymentsRequestSchema, { requests, atomic });
      const writes = requests.some(({ validateOnly }) => !validateOnly);
      const { results } = await makeCall({ writes }, options, (attempt) =>
        rpc.batchCreatePayments(request, attempt),
      );
      return results.map(({ payment, error, replayed }, at) => ({
        payment: payment && paymentFromWire(payment),
        replayed,
        error: error && batchError(error, requests[at]?.idempotencyKey),
      }));
    },
  };
}
