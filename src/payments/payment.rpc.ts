import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  CreatePaymentRequest,
  PaymentService,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { PaymentStatus as WireStatus } from "../../gen/instantpayment/v1/payment_pb.ts";
import type { Call } from "../kernel/call.ts";
import type { ServiceError } from "../kernel/errors.ts";
import type { Committed } from "../ledger/group-commit.ts";
import type { BatchCreatePaymentsUseCase } from "./batch-create-payments.ts";
import type { CreatePayment, CreatePaymentUseCase } from "./create-payment.ts";
import type { FindPayment } from "./find-payment.ts";
import { toPaymentMessage } from "./payment.message.ts";
import type { PaymentStatus } from "./payment.ts";

/** What PaymentService is made of. */
export interface PaymentRpcDeps {
  /** Who calls, and until when it waits. */
  readonly callOf: (context: HandlerContext) => Call;
  /** An error in the words of the wire. */
  readonly describeError: (error: ServiceError) => {
    code: string;
    reason: string;
    message: string;
  };
  readonly createPayment: CreatePaymentUseCase;
  readonly batchCreatePayments: BatchCreatePaymentsUseCase;
  readonly findPayment: FindPayment;
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
      const batch = request.requests.map(toCreatePayment);
      const results = await deps.batchCreatePayments(call, batch, request.atomic);
      return {
        results: results.map((result) =>
          "error" in result
            ? { error: deps.describeError(result.error) }
            : toCommittedMessage(result),
        ),
      };
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
  };
}

function toCommittedMessage(committed: Committed) {
  return { payment: toPaymentMessage(committed), replayed: committed.replayed };
}

const STATUS_BY_WIRE: Record<number, PaymentStatus> = {
  [WireStatus.SETTLED]: "SETTLED",
  [WireStatus.REJECTED]: "REJECTED",
};

function toCreatePayment(request: CreatePaymentRequest): CreatePayment {
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
      expireTime: request.expireTime ? timestampDate(request.expireTime) : null,
    },
  };
}
