import { createServer, type RequestListener } from "node:http";
import type { Socket } from "node:net";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Code,
  ConnectError,
  createContextKey,
  createContextValues,
  type Interceptor,
  type ServiceImpl,
} from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { AccountService } from "../../gen/instantpayment/v1/account_service_pb.ts";
import { LedgerService } from "../../gen/instantpayment/v1/ledger_service_pb.ts";
import { PaymentStatus } from "../../gen/instantpayment/v1/payment_pb.ts";
import {
  type CreatePaymentRequest,
  type CreatePaymentResponseSchema,
  PaymentService,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";

type CreatedPayment = MessageInitShape<typeof CreatePaymentResponseSchema>;

/** A request that arrived, with the time-out in milliseconds that its caller asked for. */
export interface Received {
  readonly message: unknown;
  readonly timeoutMs: number;
  readonly authorization: string | null;
}

/** How the fixture treats one attempt instead of answering it. */
export type Misbehaviour =
  /** Does the work and cuts the connection without an answer. */
  | "cut after commit"
  /** Cuts the connection and does nothing. */
  | "cut before commit"
  /** Never answers. */
  | "hang"
  /** Answers with a page of a proxy. */
  | { readonly status: number }
  | ConnectError;

/** A service on a socket that misbehaves as it's told: for what the real one does too seldom. */
export interface PaymentFixture {
  readonly baseUrl: string;
  /** What the next attempts get, in order; then the fixture answers. */
  readonly script: Misbehaviour[];
  /** Every request that arrived, in order. */
  readonly received: Received[];
  /** Payments by idempotency key: how many there are is how often money moved. */
  readonly payments: ReadonlyMap<string, CreatedPayment>;
  close(): Promise<void>;
}

/** An error as the service sends it. */
export function serviceError(
  code: Code,
  reason: string,
  details: { retryAfterMs?: number; requestId?: string; field?: string } = {},
): ConnectError {
  const error = new ConnectError(`It is ${reason}.`, code);
  const { retryAfterMs, requestId, field } = details;
  error.details.push({ desc: ErrorInfoSchema, value: { reason, domain: "instantpayment" } });
  if (retryAfterMs !== undefined) {
    const retryDelay = durationFromMs(retryAfterMs);
    error.details.push({ desc: RetryInfoSchema, value: { retryDelay } });
  }
  if (requestId) error.details.push({ desc: RequestInfoSchema, value: { requestId } });
  if (field) {
    const fieldViolations = [{ field, description: "is wrong" }];
    error.details.push({ desc: BadRequestSchema, value: { fieldViolations } });
  }
  return error;
}

/** What a test puts in the place of the fixture's own answers. */
export interface FixtureHandlers {
  readonly payments?: Partial<ServiceImpl<typeof PaymentService>>;
  readonly accounts?: Partial<ServiceImpl<typeof AccountService>>;
  readonly ledger?: Partial<ServiceImpl<typeof LedgerService>>;
  /** Serves what isn't an RPC. */
  readonly fallback?: RequestListener;
}

/** Starts the fixture on a free port of the loopback. */
export async function startPaymentFixture(handlers: FixtureHandlers = {}): Promise<PaymentFixture> {
  const script: Misbehaviour[] = [];
  const received: PaymentFixture["received"] = [];
  const payments = new Map<string, CreatedPayment>();
  const adapter = connectNodeAdapter({
    interceptors: [record(received), misbehave],
    contextValues: (request) =>
      createContextValues().set(kSocket, request.socket).set(kMisbehaviour, script.shift()),
    routes({ service }) {
      service(PaymentService, {
        createPayment: (request) => createOnce(payments, request),
        ...handlers.payments,
      });
      service(AccountService, { ...handlers.accounts });
      service(LedgerService, { ...handlers.ledger });
    },
  });
  const server = createServer((request, response) => {
    if (handlers.fallback && !request.url?.startsWith("/instantpayment.")) {
      handlers.fallback(request, response);
      return;
    }
    const [next] = script;
    if (typeof next !== "object" || next instanceof ConnectError) {
      adapter(request, response);
      return;
    }
    script.shift();
    response.writeHead(next.status, { "Content-Type": "text/html" }).end("<h1>A proxy</h1>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    script,
    received,
    payments,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const kSocket = createContextKey<Socket | undefined>(undefined);
const kMisbehaviour = createContextKey<Misbehaviour | undefined>(undefined);

const misbehave: Interceptor = (next) => async (request) => {
  const misbehaviour = request.contextValues.get(kMisbehaviour);
  const cut = () => request.contextValues.get(kSocket)?.destroy();
  if (misbehaviour === "cut before commit") cut();
  if (misbehaviour instanceof ConnectError) throw misbehaviour;
  const answer = await next(request);
  if (misbehaviour === "cut after commit") cut();
  if (misbehaviour === "hang")
    await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
  return answer;
};

function record(received: Received[]): Interceptor {
  return (next) => (request) => {
    const { header } = request;
    received.push({
      message: request.stream ? undefined : request.message,
      timeoutMs: Number(header.get("Connect-Timeout-Ms") ?? Number.NaN),
      authorization: header.get("Authorization"),
    });
    return next(request);
  };
}

/** One payment per key, as the service does it. */
function createOnce(payments: Map<string, CreatedPayment>, request: CreatePaymentRequest) {
  const replay = payments.get(request.idempotencyKey);
  if (replay) return { ...replay, replayed: true };
  const { idempotencyKey, debtorAccountId, creditorAccountId, amount, metadata } = request;
  const createTime = timestampFromMs(1_700_000_000_123);
  const answer = {
    payment: {
      id: `payment-${payments.size + 1}`,
      idempotencyKey,
      debtorAccountId,
      creditorAccountId,
      amount,
      metadata,
      status: PaymentStatus.SETTLED,
      sequence: 1,
      createTime,
      updateTime: createTime,
    },
    replayed: false,
  } satisfies CreatedPayment;
  payments.set(idempotencyKey, answer);
  return answer;
}
