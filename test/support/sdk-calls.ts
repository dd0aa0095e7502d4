import { expect } from "vitest";
import type { InstantPayment } from "../../sdk/src/client.ts";
import type * as sdk from "../../sdk/src/node.ts";

const PAYMENT = {
  idempotencyKey: "k",
  debtorAccountId: "d",
  creditorAccountId: "c",
  amount: { value: "12.50", currencyCode: "EUR" },
  endToEndId: "e",
  remittanceInformation: "r",
  metadata: { a: "b" },
  captureMode: "MANUAL",
  holdDurationMs: 1_000,
  retryPolicy: { maxAttempts: 3, initialBackoffMs: 10, maxBackoffMs: 20 },
  expireTime: new Date(1_000),
  validateOnly: true,
} satisfies Required<sdk.NewPayment>;

/** A call of each method with all that it takes; of a list, its first page. */
export const CALLS = {
  createPayment: (client) => client.createPayment(PAYMENT),
  batchCreatePayments: (client) => client.batchCreatePayments([PAYMENT], { atomic: true }),
  capturePayment: (client) =>
    client.capturePayment("p", { idempotencyKey: "k", amount: PAYMENT.amount, final: false }),
  cancelPayment: (client) => client.cancelPayment("p", { idempotencyKey: "k" }),
  refundPayment: (client) =>
    client.refundPayment("p", {
      idempotencyKey: "k",
      amount: PAYMENT.amount,
      remittanceInformation: "r",
    }),
  retryPayment: (client) => client.retryPayment("p", { idempotencyKey: "k" }),
  getPayment: (client) => client.getPayment("p"),
  listPayments: (client) =>
    firstPage(
      client.listPayments({
        accountId: "a",
        status: "SETTLED",
        startTime: new Date(1_000),
        endTime: new Date(2_000),
        pageSize: 7,
        pageToken: "t",
      }),
    ),
  watchPayment: (client) => first(client.watchPayment("p", { afterSequence: 3 })),
  createAccount: (client) =>
    client.createAccount({
      accountId: "a",
      ownerId: "o",
      currencyCode: "EUR",
      overdraftMode: "LIMITED",
      overdraftLimit: "5.00",
      metadata: { a: "b" },
    } satisfies Required<sdk.NewAccount>),
  getAccount: (client) => client.getAccount("a"),
  listAccounts: (client) =>
    firstPage(client.listAccounts({ ownerId: "o", status: "OPEN", pageSize: 7, pageToken: "t" })),
  updateAccount: async (client) => {
    await client.updateAccount("a", { metadata: {} });
    return client.updateAccount("a", {
      version: 3,
      status: "FROZEN",
      overdraftMode: "LIMITED",
      overdraftLimit: "5.00",
      metadata: { a: "b" },
    } satisfies Required<sdk.AccountChange>);
  },
  getBalance: (client) => client.getBalance("a", { readTime: new Date(1_000) }),
  listEntries: (client) =>
    firstPage(
      client.listEntries("a", {
        afterSequence: 3,
        startTime: new Date(1_000),
        endTime: new Date(2_000),
        pageSize: 7,
        pageToken: "t",
      }),
    ),
  watchAccount: (client) => first(client.watchAccount("a", { afterSequence: 3 })),
  verifyLedger: (client) => client.verifyLedger(),
  createApiKey: (client) =>
    client.createApiKey({
      ownerId: "o",
      scopes: ["payments:read"],
      displayName: "n",
      expireTime: new Date(1_000),
    } satisfies Required<sdk.NewApiKey>),
  listApiKeys: (client) =>
    firstPage(client.listApiKeys({ ownerId: "o", pageSize: 7, pageToken: "t" })),
  rotateApiKey: (client) => client.rotateApiKey("k", { gracePeriodMs: 1_500 }),
  revokeApiKey: (client) => client.revokeApiKey("k"),
  createWebhookEndpoint: (client) =>
    client.createWebhookEndpoint({
      url: "u",
      eventTypes: ["SETTLED"],
      description: "d",
      ordered: true,
      ownerId: "o",
    } satisfies Required<sdk.NewWebhookEndpoint>),
  getWebhookEndpoint: (client) => client.getWebhookEndpoint("w"),
  listWebhookEndpoints: (client) =>
    firstPage(client.listWebhookEndpoints({ ownerId: "o", pageSize: 7, pageToken: "t" })),
  updateWebhookEndpoint: async (client) => {
    await client.updateWebhookEndpoint("w", { eventTypes: [] });
    return client.updateWebhookEndpoint("w", {
      url: "u",
      eventTypes: ["SETTLED"],
      description: "d",
      ordered: true,
      enabled: true,
    } satisfies Required<sdk.WebhookEndpointChange>);
  },
  deleteWebhookEndpoint: (client) => client.deleteWebhookEndpoint("w"),
  rotateWebhookSecret: (client) => client.rotateWebhookSecret("w", { gracePeriodMs: 1_500 }),
  listWebhookDeliveries: (client) =>
    firstPage(client.listWebhookDeliveries("w", { pageSize: 7, pageToken: "t" })),
  redeliverWebhook: (client) => client.redeliverWebhook("d"),
} satisfies Record<string, (client: InstantPayment) => Promise<unknown>>;

async function firstPage<P>(list: { pages(): AsyncIterable<P> }): Promise<P> {
  return first(list.pages());
}

async function first<T>(items: AsyncIterable<T>): Promise<T> {
  for await (const item of items) return item;
  return expect.unreachable("there's at least one");
}
