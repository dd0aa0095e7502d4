import { durationFromMs, durationMs, timestampDate, type Duration } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Money } from "../../gen/instantpayment/v1/money_pb.ts";
import {
  CaptureMode,
  type CreatePaymentRequest,
  type PaymentService,
  type RetryPolicy as WirePolicy,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { PaymentStatus as WireStatus } from "../../gen/instantpayment/v1/payment_pb.ts";
import type { Call } from "../kernel/call.ts";
import { invalidField, type ServiceError } from "../kernel/errors.ts";
import { PAYMENT_STATUSES } from "../kernel/payment-states.ts";
import type { Committed } from "../ledger/group-commit.ts";
import type { BatchCreatePaymentsUseCase } from "./batch-create-payments.ts";
import type { ChangePayment } from "./change-payment.ts";
import type { CreatePayment, CreatePaymentUseCase } from "./create-payment.ts";
import type { FindPayment } from "./find-payment.ts";
import { toWatchedEvent } from "./payment.event.ts";
import { toPaymentMessage } from "./payment.message.ts";
import type { Amount } from "./payment-command.ts";
import type { RetryPolicy } from "./payment.ts";
import type { WatchPaymentUseCase } from "./watch-payment.ts";

/** What PaymentService is made of. */
export interface PaymentRpcDeps {
  /** Who calls, and until when it waits. */
  readonly callOf: (context: HandlerContext) => Call;
  /** An error in the words of the wire. */
  readonly describeError: (error: ServiceError) => {
    code: string;
    reason: string;
    message: string;
    metadata: Record<string, string>;
    /** When to send the same again; undefined if that doesn't help. */
    retryAfterMs: number | undefined;
  };
  readonly createPayment: CreatePaymentUseCase;
  readonly batchCreatePayments: BatchCreatePaymentsUseCase;
  readonly changePayment: ChangePayment;
  readonly findPayment: FindPayment;
  readonly watchPayment: WatchPaymentUseCase;
}

/** `instantpayment.v1.PaymentService` on the use cases; requests have been validated before. */
export function createPaymentRpc(deps: PaymentRpcDeps): ServiceImpl<typeof PaymentService> {
  return {
    async createPayment(request, context) {
      const call = deps.callOf(context);
      const committed = await deps.createPayment(call, toCreatePayment(request));
      return toCommittedMessage(committed);
    },

    async batchCreatePayments(request, context) {
      const call = deps.callOf(context);
      const batch = request.requests.map((one, i) => toCreatePayment(one, `requests[${i}].`));
      const results = await deps.batchCreatePayments(call, batch, request.atomic);
      return {
        results: results.map((result) =>
          "error" in result
            ? { error: toErrorMessage(deps.describeError(result.error)) }
            : toCommittedMessage(result),
        ),
      };
    },

    async capturePayment(request, context) {
      const { final = true } = request;
      const capture = { ...toChange(request), amount: toAmount(request.amount), final };
      return toCommittedMessage(await deps.changePayment.capture(deps.callOf(context), capture));
    },

    async cancelPayment(request, context) {
      return toCommittedMessage(
        await deps.changePayment.cancel(deps.callOf(context), toChange(request)),
      );
    },

    async refundPayment(request, context) {
      const { remittanceInformation } = request;
      const amount = toAmount(request.amount);
      const refund = { ...toChange(request), amount, remittanceInformation };
      return toCommittedMessage(await deps.changePayment.refund(deps.callOf(context), refund));
    },

    async retryPayment(request, context) {
      return toCommittedMessage(
        await deps.changePayment.retry(deps.callOf(context), toChange(request)),
      );
    },

    async getPayment(request, context) {
      const id = request.paymentId.toLowerCase();
      const seen = await deps.findPayment.get(deps.callOf(context), id);
      return { payment: toPaymentMessage(seen) };
    },

    async listPayments(request, context) {
      const page = await deps.findPayment.list(deps.callOf(context), {
        accountId: request.accountId.toLowerCase() || undefined,
        status: STATUS_BY_WIRE[request.status],
        startTime: request.startTime && timestampDate(request.startTime),
        endTime: request.endTime && timestampDate(request.endTime),
        pageSize: request.pageSize,
        pageToken: request.pageToken,
      });
      return {
        payments: page.payments.map(toPaymentMessage),
        nextPageToken: page.nextPageToken,
      };
    },

    async *watchPayment({ paymentId, afterSequence }, context) {
      const request = { paymentId: paymentId.toLowerCase(), afterSequence };
      const call = deps.callOf(context);
      const { own, news } = await deps.watchPayment(call, request, context.signal);
      for await (const each of news) {
        if (each.kind === "heartbeat") {
          yield {};
          continue;
        }
        const { event, isLast } = toWatchedEvent(each, own);
        if (event) yield { event };
        if (isLast) return;
      }
    },
  };
}

function toCommittedMessage(committed: Committed) {
  return { payment: toPaymentMessage(committed), replayed: committed.replayed };
}

const STATUS_BY_WIRE = Object.fromEntries(
  PAYMENT_STATUSES.map((status) => [WireStatus[status], status]),
);

function toChange({ paymentId, idempotencyKey }: { paymentId: string; idempotencyKey: string }) {
  return { paymentId: paymentId.toLowerCase(), idempotencyKey };
}

function toAmount(money: Money | undefined): Amount | undefined {
  return money && { currencyCode: money.currencyCode, amountMinor: money.amountMinor };
}

/** `at` goes before the names of fields in errors. Throws INVALID_FIELD. */
function toCreatePayment(request: CreatePaymentRequest, at = ""): CreatePayment {
  const isHeld = request.captureMode === CaptureMode.MANUAL;
  if (request.holdDuration && !isHeld) {
    throw invalidField(`${at}hold_duration`, "is for CAPTURE_MODE_MANUAL only");
  }
  return {
    idempotencyKey: request.idempotencyKey,
    validateOnly: request.validateOnly,
    request: {
      debtorAccountId: request.debtorAccountId.toLowerCase(),
      creditorAccountId: request.creditorAccountId.toLowerCase(),
      currencyCode: request.amount?.currencyCode ?? "",
      amountMinor: request.amount?.amountMinor ?? 0n,
      endToEndId: request.endToEndId,
      remittanceInformation: request.remittanceInformation,
      metadata: request.metadata,
      holdDurationMs: isHeld ? msOf(request.holdDuration, LONGEST_HOLD_MS) : null,
      retryPolicy: request.retryPolicy ? toRetryPolicy(request.retryPolicy) : null,
      expireTime: request.expireTime ? timestampDate(request.expireTime) : null,
    },
  };
}

function toRetryPolicy(policy: WirePolicy): RetryPolicy {
  const initialBackoffMs = msOf(policy.initialBackoff, DEFAULT_BACKOFF_MS);
  return {
    maxAttempts: policy.maxAttempts || DEFAULT_ATTEMPTS,
    initialBackoffMs,
    maxBackoffMs: msOf(policy.maxBackoff, Math.max(DEFAULT_LONGEST_BACKOFF_MS, initialBackoffMs)),
  };
}

/** Whole milliseconds, at least one. */
function msOf(duration: Duration | undefined, fallbackMs: number): number {
  return duration ? Math.max(1, Math.round(durationMs(duration))) : fallbackMs;
}

const LONGEST_HOLD_MS = 7 * 24 * 3_600_000;
const DEFAULT_ATTEMPTS = 5;
const DEFAULT_BACKOFF_MS = 1_000;
const DEFAULT_LONGEST_BACKOFF_MS = 3_600_000;

function toErrorMessage({ retryAfterMs, ...told }: ReturnType<PaymentRpcDeps["describeError"]>) {
  return {
    ...told,
    retryDelay: retryAfterMs === undefined ? undefined : durationFromMs(retryAfterMs),
  };
}
