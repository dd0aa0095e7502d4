import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { AccountService } from "../../gen/instantpayment/v1/account_service_pb.ts";
import { ApiKeyService } from "../../gen/instantpayment/v1/api_key_service_pb.ts";
import { LedgerService } from "../../gen/instantpayment/v1/ledger_service_pb.ts";
import { PaymentService } from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { WebhookService } from "../../gen/instantpayment/v1/webhook_service_pb.ts";
import { type AccountMethods, createAccountMethods } from "./accounts.ts";
import { type BatchMethods, createBatchMethods } from "./batch.ts";
import { type ChangeMethods, createChangeMethods } from "./changes.ts";
import { invalidInput } from "./error.ts";
import { type ApiKeyMethods, createApiKeyMethods } from "./keys.ts";
import { createLedgerMethods, type LedgerMethods } from "./ledger.ts";
import { createFollow } from "./follow.ts";
import { type MembersOf, onlyKnown } from "./members.ts";
import { createPaymentMethods, type PaymentMethods } from "./payments.ts";
import { createMakeCall, type RetryPolicy } from "./retry.ts";
import { createWebhookMethods, type WebhookMethods } from "./webhooks.ts";

/** Where the service is and how to talk to it. */
export interface InstantPaymentOptions {
  /** The service's address, for example `http://127.0.0.1:8080`. */
  readonly baseUrl: string;
  /** The secret that is sent with each call. */
  readonly apiKey: string;
  /** The time for one call with all its retries, in milliseconds. Default 15,000. */
  readonly timeoutMs?: number;
  readonly retry?: RetryPolicy;
}

const OPTIONS: MembersOf<InstantPaymentOptions> = {
  baseUrl: true,
  apiKey: true,
  timeoutMs: true,
  retry: true,
};

/** The generated clients: no retries, no keys made, bigint for 64-bit integers. */
export interface RawClients {
  readonly payments: Client<typeof PaymentService>;
  readonly accounts: Client<typeof AccountService>;
  readonly ledger: Client<typeof LedgerService>;
  readonly keys: Client<typeof ApiKeyService>;
  readonly webhooks: Client<typeof WebhookService>;
}

/** A client of the service. It needs no closing and may be shared by the whole program. */
export interface InstantPayment
  extends
    PaymentMethods,
    ChangeMethods,
    BatchMethods,
    AccountMethods,
    LedgerMethods,
    ApiKeyMethods,
    WebhookMethods {
  /** The generated clients with the same address and key, for what has no method here. */
  readonly raw: RawClients;
}

/** What a runtime brings: its way to send calls. */
export type CreateTransport = (options: {
  readonly baseUrl: string;
  readonly useBinaryFormat: boolean;
  readonly interceptors: Interceptor[];
}) => Transport;

/** Makes a client on a runtime's transport. Throws INVALID_FIELD for options that can't work. */
export function createInstantPaymentOn(
  createTransport: CreateTransport,
  options: InstantPaymentOptions,
): InstantPayment {
  const given = onlyKnown(options, OPTIONS, "options");
  const { baseUrl, apiKey, timeoutMs = 15_000, retry = {} } = given;
  if (!/^https?:\/\//.test(baseUrl) || !URL.canParse(baseUrl)) {
    throw invalidInput("baseUrl", "must be such as http://127.0.0.1:8080");
  }
  if (typeof apiKey !== "string" || !/^[!-~]+$/.test(apiKey)) {
    throw invalidInput("apiKey", "must be printable ASCII characters without spaces");
  }
  const authorize: Interceptor = (next) => (request) => {
    request.header.set("Authorization", `Bearer ${apiKey}`);
    return next(request);
  };
  // Binary, so that an older client can read what a newer service adds.
  const transport = createTransport({ baseUrl, useBinaryFormat: true, interceptors: [authorize] });
  const makeCall = createMakeCall(timeoutMs, retry);
  const follow = createFollow(retry);
  const raw = {
    payments: createClient(PaymentService, transport),
    accounts: createClient(AccountService, transport),
    ledger: createClient(LedgerService, transport),
    keys: createClient(ApiKeyService, transport),
    webhooks: createClient(WebhookService, transport),
  };
  return {
    ...createPaymentMethods({ rpc: raw.payments, makeCall, follow }),
    ...createChangeMethods({ rpc: raw.payments, makeCall }),
    ...createBatchMethods({ rpc: raw.payments, makeCall }),
    ...createAccountMethods({ rpc: raw.accounts, makeCall, follow }),
    ...createLedgerMethods({ rpc: raw.ledger, makeCall }),
    ...createApiKeyMethods({ rpc: raw.keys, makeCall }),
    ...createWebhookMethods({ rpc: raw.webhooks, makeCall }),
    raw,
  };
}
