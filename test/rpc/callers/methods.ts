import { randomUUID } from "node:crypto";
import type { World } from "./world.ts";

/** What Bob is answered when he asks for what is Alice's: a refusal, or an answer without it. */
export type Refusal =
  | { readonly status: number; readonly reason: string }
  | { readonly answer: Readonly<Record<string, unknown>> };

/** One RPC as Alice calls it (an administrator, if only those may), by what is hers. */
export interface MethodCase {
  readonly request: (world: World) => Readonly<Record<string, unknown>>;
  /** Of an id that nothing is under; absent if the request names none. */
  readonly unknown?: (world: World) => Readonly<Record<string, unknown>>;
  readonly byBob: Refusal;
}

const NO_ACCOUNT: Refusal = { status: 404, reason: "ACCOUNT_NOT_FOUND" };
const NO_PAYMENT: Refusal = { status: 404, reason: "PAYMENT_NOT_FOUND" };
const NO_SCOPE: Refusal = { status: 403, reason: "MISSING_SCOPE" };

const payment = (debtorAccountId: string, creditorAccountId: string) => ({
  idempotencyKey: randomUUID(),
  debtorAccountId,
  creditorAccountId,
  amount: { currencyCode: "EUR", amountMinor: "1" },
});

const ofAccount = (more: Readonly<Record<string, unknown>> = {}): MethodCase => ({
  request: ({ account }) => ({ accountId: account, ...more }),
  unknown: ({ unknownAccount }) => ({ accountId: unknownAccount, ...more }),
  byBob: NO_ACCOUNT,
});

const ofPayment = (
  which: "payment" | "captured" | "cancelled" | "rejected",
  more: Readonly<Record<string, unknown>> = {},
): MethodCase => ({
  request: (world) => ({ paymentId: world[which], idempotencyKey: randomUUID(), ...more }),
  unknown: (world) => ({
    paymentId: world.unknownPayment,
    idempotencyKey: randomUUID(),
    ...more,
  }),
  byBob: NO_PAYMENT,
});

const ofWebhook = (
  which: "webhook" | "unusedWebhook" = "webhook",
  more: Readonly<Record<string, unknown>> = {},
): MethodCase => ({
  request: (world) => ({ webhookEndpointId: world[which], ...more }),
  unknown: () => ({ webhookEndpointId: randomUUID(), ...more }),
  byBob: { status: 404, reason: "WEBHOOK_ENDPOINT_NOT_FOUND" },
});

const refusedInBatch = {
  code: "not_found",
  reason: "ACCOUNT_NOT_FOUND",
  message: "There is no such account, or it isn't the caller's.",
  metadata: { field: "debtor_account_id" },
};

/** Every RPC of the contract, by its name. */
export const METHOD_CASES: Readonly<Record<string, MethodCase>> = {
  CreatePayment: {
    request: ({ account, otherAccount }) => payment(account, otherAccount),
    unknown: ({ unknownAccount, otherAccount }) => payment(unknownAccount, otherAccount),
    byBob: NO_ACCOUNT,
  },
  BatchCreatePayments: {
    request: ({ account, otherAccount }) => ({ requests: [payment(account, otherAccount)] }),
    unknown: ({ unknownAccount, otherAccount }) => ({
      requests: [payment(unknownAccount, otherAccount)],
    }),
    byBob: { answer: { results: [{ error: refusedInBatch, replayed: false }] } },
  },
  CapturePayment: ofPayment("captured"),
  CancelPayment: ofPayment("cancelled"),
  RefundPayment: ofPayment("payment", { amount: { currencyCode: "EUR", amountMinor: "1" } }),
  RetryPayment: ofPayment("rejected"),
  GetPayment: {
    request: (world) => ({ paymentId: world.payment }),
    unknown: ({ unknownPayment }) => ({ paymentId: unknownPayment }),
    byBob: NO_PAYMENT,
  },
  ListPayments: ofAccount(),
  WatchPayment: {
    request: (world) => ({ paymentId: world.payment }),
    unknown: ({ unknownPayment }) => ({ paymentId: unknownPayment }),
    byBob: NO_PAYMENT,
  },
  CreateAccount: {
    request: () => ({ ownerId: "alice", currencyCode: "EUR" }),
    byBob: NO_SCOPE,
  },
  GetAccount: ofAccount(),
  ListAccounts: {
    request: () => ({ ownerId: "alice" }),
    byBob: { answer: { accounts: [], nextPageToken: "" } },
  },
  UpdateAccount: ofAccount({ metadata: { colour: "blue" } }),
  GetBalance: ofAccount(),
  ListEntries: ofAccount(),
  WatchAccount: ofAccount(),
  VerifyLedger: { request: () => ({}), byBob: NO_SCOPE },
  CreateApiKey: {
    request: () => ({ ownerId: "alice", scopes: ["payments:read"] }),
    byBob: NO_SCOPE,
  },
  ListApiKeys: { request: () => ({ ownerId: "alice" }), byBob: NO_SCOPE },
  RotateApiKey: {
    request: ({ apiKey }) => ({ apiKeyId: apiKey, gracePeriod: "3600s" }),
    byBob: NO_SCOPE,
  },
  CreateWebhookEndpoint: {
    request: () => ({ ownerId: "alice", url: "https://nobody.invalid/another" }),
    byBob: NO_SCOPE,
  },
  GetWebhookEndpoint: ofWebhook(),
  ListWebhookEndpoints: {
    request: () => ({ ownerId: "alice" }),
    byBob: { answer: { webhookEndpoints: [], nextPageToken: "" } },
  },
  UpdateWebhookEndpoint: ofWebhook("webhook", { description: "Shop" }),
  DeleteWebhookEndpoint: ofWebhook("unusedWebhook"),
  RotateWebhookSecret: ofWebhook("webhook", { gracePeriod: "3600s" }),
  ListWebhookDeliveries: ofWebhook(),
  RedeliverWebhook: {
    request: ({ delivery }) => ({ webhookDeliveryId: delivery }),
    unknown: () => ({ webhookDeliveryId: randomUUID() }),
    byBob: { status: 404, reason: "WEBHOOK_DELIVERY_NOT_FOUND" },
  },
  RevokeApiKey: { request: ({ apiKey }) => ({ apiKeyId: apiKey }), byBob: NO_SCOPE },
};
