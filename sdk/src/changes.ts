import type { Client } from "@connectrpc/connect";
import type { Payment as WirePayment } from "../../gen/instantpayment/v1/payment_pb.ts";
import type { PaymentService } from "../../gen/instantpayment/v1/payment_service_pb.ts";
import {
  CancelPaymentRequestSchema,
  CapturePaymentRequestSchema,
  RefundPaymentRequestSchema,
  RetryPaymentRequestSchema,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { randomId } from "./ids.ts";
import { type MembersOf, onlyKnown } from "./members.ts";
import type { Money } from "./money.ts";
import { type CreatedPayment, paymentFromWire } from "./payment.ts";
import { amountForWire } from "./payment-request.ts";
import { type AttemptOptions, CALL_OPTIONS, type CallOptions, type MakeCall } from "./retry.ts";
import { requestOf } from "./wire.ts";

/** What every change of a payment takes. */
export interface ChangeOptions extends CallOptions {
  /** One per change, made by the client if absent and kept over its retries, as createPayment's. */
  readonly idempotencyKey?: string | undefined;
}

/** How to capture. */
export interface CaptureOptions extends ChangeOptions {
  /** What to book, at most what is held. Default: all of it. */
  readonly amount?: Money;
  /** False: the rest stays held for further captures. Default true: it's released. */
  readonly final?: boolean;
}

/** How to refund. */
export interface RefundOptions extends ChangeOptions {
  /** How much to give back. Default: all that is left. */
  readonly amount?: Money;
  /** What it's for, at most 140 characters. */
  readonly remittanceInformation?: string;
}

const CHANGE: MembersOf<ChangeOptions> = { ...CALL_OPTIONS, idempotencyKey: true };
const CAPTURE: MembersOf<CaptureOptions> = { ...CHANGE, amount: true, final: true };
const REFUND: MembersOf<RefundOptions> = { ...CHANGE, amount: true, remittanceInformation: true };

/** The methods for payments that are there. Each throws InstantPaymentError, as createPayment. */
export interface ChangeMethods {
  /** Books a held payment, all of it or a part. For either side. */
  capturePayment(paymentId: string, options?: CaptureOptions): Promise<CreatedPayment>;
  /** Ends a pending payment (for the debtor's side) or a held one (for the creditor's). */
  cancelPayment(paymentId: string, options?: ChangeOptions): Promise<CreatedPayment>;
  /** Gives back what was captured and returns the refund. For the creditor's side. */
  refundPayment(paymentId: string, options?: RefundOptions): Promise<CreatedPayment>;
  /** Tries a pending payment now, or a rejected one by a new payment. For the debtor's side. */
  retryPayment(paymentId: string, options?: ChangeOptions): Promise<CreatedPayment>;
}

/** What all of them answer. */
interface Answer {
  readonly payment?: WirePayment;
  readonly replayed: boolean;
}

/** Makes the methods for payments that are there on top of the generated client. */
export function createChangeMethods(deps: {
  readonly rpc: Client<typeof PaymentService>;
  readonly makeCall: MakeCall;
}): ChangeMethods {
  const { rpc, makeCall } = deps;

  async function change(
    idempotencyKey: string,
    options: CallOptions,
    attempt: (options: AttemptOptions) => Promise<Answer>,
  ): Promise<CreatedPayment> {
    const answer = await makeCall({ writes: true, idempotencyKey }, options, attempt);
    return { ...paymentFromWire(answer.payment!), replayed: answer.replayed };
  }

  return {
    async capturePayment(paymentId, given = {}) {
      const known = onlyKnown(given, CAPTURE, "options");
      const { amount, final, idempotencyKey = randomId(), ...options } = known;
      const request = requestOf(CapturePaymentRequestSchema, {
        paymentId,
        idempotencyKey,
        amount: amount === undefined ? undefined : amountForWire(amount),
        final,
      });
      return change(idempotencyKey, options, (attempt) => rpc.capturePayment(request, attempt));
    },

    async cancelPayment(paymentId, given = {}) {
      const known = onlyKnown(given, CHANGE, "options");
      const { idempotencyKey = randomId(), ...options } = known;
      const request = requestOf(CancelPaymentRequestSchema, { paymentId, idempotencyKey });
      return change(idempotencyKey, options, (attempt) => rpc.cancelPayment(request, attempt));
    },

    async refundPayment(paymentId, given = {}) {
      const known = onlyKnown(given, REFUND, "options");
      const { amount, remittanceInformation, idempotencyKey = randomId(), ...options } = known;
      const request = requestOf(RefundPaymentRequestSchema, {
        paymentId,
        idempotencyKey,
        amount: amount === undefined ? undefined : amountForWire(amount),
        remittanceInformation,
      });
      return change(idempotencyKey, options, (attempt) => rpc.refundPayment(request, attempt));
    },

    async retryPayment(paymentId, given = {}) {
      const known = onlyKnown(given, CHANGE, "options");
      const { idempotencyKey = randomId(), ...options } = known;
      const request = requestOf(RetryPaymentRequestSchema, { paymentId, idempotencyKey });
      return change(idempotencyKey, options, (attempt) => rpc.retryPayment(request, attempt));
    },
  };
}
