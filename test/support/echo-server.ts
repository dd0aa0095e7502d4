import { PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { AccountService } from "../../gen/instantpayment/v1/account_service_pb.ts";
import { LedgerService } from "../../gen/instantpayment/v1/ledger_service_pb.ts";
import { PaymentService } from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { PaymentStatus } from "../../gen/instantpayment/v1/payment_pb.ts";
import { ServiceError } from "../../src/kernel/errors.ts";
import type { Principal } from "../../src/kernel/principal.ts";
import { createLogger } from "../../src/platform/logger.ts";
import { callOf } from "../../src/rpc/call.ts";
import { createRpcServer, type RpcServerOptions } from "../../src/rpc/server.ts";

/** The key that the echo server knows. */
export const KEY = "Bearer test-key";

/** A running server whose payments are what was sent, with its log. */
export interface EchoServer {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** The `remittanceInformation` of every payment that came through so far. */
  readonly orders: () => readonly string[];
  /** The lines of the log so far, parsed. */
  readonly log: () => Record<string, unknown>[];
  readonly close: (graceMs?: number) => Promise<void>;
}

/**
 * Starts the edge with services that do nothing but echo. What `remittanceInformation` says
 * decides: `throw` throws, `refuse` refuses, `sleep 300` answers after 300 ms.
 */
export async function startEchoServer(
  options: Partial<RpcServerOptions> = {},
): Promise<EchoServer> {
  const lines: string[] = [];
  const orders: string[] = [];
  const sink = new PassThrough().on("data", (chunk: Buffer) => lines.push(chunk.toString()));
  const server = createRpcServer({
    host: "127.0.0.1",
    port: 0,
    authenticate: (header) => Promise.resolve(header === KEY ? PRINCIPAL : undefined),
    services: [PaymentService, AccountService, LedgerService],
    isReady: () => true,
    logger: createLogger("debug", sink),
    routes: (router) => {
      router.service(PaymentService, {
        createPayment: async (request, context) => {
          const { principal } = callOf(context);
          orders.push(request.remittanceInformation);
          await obey(request.remittanceInformation);
          const { validateOnly, ...payment } = request;
          return {
            payment: {
              idempotencyKey: payment.idempotencyKey,
              debtorAccountId: payment.debtorAccountId,
              amount: payment.amount,
              endToEndId: `${principal.ownerId}:${payment.endToEndId}`,
              metadata: payment.metadata,
              status: PaymentStatus.SETTLED,
            },
            replayed: validateOnly,
          };
        },
        getPayment: ({ paymentId }) => ({ payment: { id: paymentId } }),
      });
      router.service(AccountService, {
        getAccount: () => {
          throw new ServiceError("ACCOUNT_NOT_FOUND");
        },
      });
      router.service(LedgerService, {
        verifyLedger: async () => {
          await sleep(150);
          return { ok: true };
        },
      });
    },
    ...options,
  });
  const { host, port } = await server.start();
  return {
    host,
    port,
    url: `${options.tls ? "https" : "http"}://${host}:${port}`,
    orders: () => orders,
    log: () =>
      lines
        .join("")
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
    close: (graceMs = 0) => server.close(graceMs),
  };
}

const PRINCIPAL: Principal = {
  ownerId: "owner-1",
  scopes: new Set(["payments:read", "payments:write", "accounts:read", "admin"]),
};

async function obey(order: string): Promise<void> {
  const [word, argument] = order.split(" ");
  if (word === "throw") throw new Error("the database password is hunter2");
  if (word === "refuse") throw new ServiceError("OVERLOADED", { retryAfterMs: 1_500 });
  if (word === "sleep") await sleep(Number(argument));
}
