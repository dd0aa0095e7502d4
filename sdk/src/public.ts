// What both entries, node.ts and web.ts, offer besides createInstantPayment.
export type { InstantPayment, InstantPaymentOptions, RawClients } from "./client.ts";
export type {
  Account,
  AccountStatus,
  AccountUpdate,
  Balance,
  Entry,
  OverdraftMode,
  StatementPage,
} from "./account.ts";
export type {
  AccountChange,
  AccountFilter,
  BalanceOptions,
  EntryFilter,
  NewAccount,
} from "./account-request.ts";
export type { AccountMethods } from "./accounts.ts";
export type { BatchMethods, BatchOptions, BatchResult } from "./batch.ts";
export type { CaptureOptions, ChangeMethods, ChangeOptions, RefundOptions } from "./changes.ts";
export type { ErrorCode, FieldViolation } from "./error.ts";
export { InstantPaymentError } from "./error.ts";
export type { PaymentEvent, PaymentEventType } from "./event.ts";
export { decodePaymentEvent } from "./event.ts";
export type { WatchOptions } from "./follow.ts";
export type {
  ApiKey,
  ApiKeyFilter,
  ApiKeyMethods,
  ApiKeyWithSecret,
  NewApiKey,
  RotateOptions,
} from "./keys.ts";
export type { LedgerFinding, LedgerMethods, LedgerReport } from "./ledger.ts";
export type { Money } from "./money.ts";
export { fromMinorUnits, toMinorUnits } from "./money.ts";
export type { Page, Paged, PageOptions } from "./paging.ts";
export type {
  CreatedPayment,
  Payment,
  PaymentAttempt,
  PaymentReason,
  PaymentStatus,
} from "./payment.ts";
export type { NewPayment, PaymentRetryPolicy } from "./payment-request.ts";
export type { PaymentFilter, PaymentMethods } from "./payments.ts";
export type { CallOptions, RetryPolicy } from "./retry.ts";
export type { VerifyWebhookOptions, WebhookHeaders } from "./verify-webhook.ts";
export { verifyWebhook } from "./verify-webhook.ts";
export type { WebhookDelivery, WebhookEndpoint, WebhookEndpointWithSecret } from "./webhook.ts";
export type {
  NewWebhookEndpoint,
  WebhookEndpointChange,
  WebhookEndpointFilter,
  WebhookMethods,
} from "./webhooks.ts";
export type { ErrorReason } from "../../src/kernel/errors.ts";
export type { Scope } from "../../src/kernel/principal.ts";
