import type {
  Account as WireAccount,
  AccountService,
  Balance as WireBalance,
  CreateAccountRequest,
  Entry as WireEntry,
  GetBalanceRequest,
  ListAccountsRequest,
  ListEntriesRequest,
  ListEntriesResponse,
  UpdateAccountRequest,
  WatchAccountRequest,
  WatchAccountResponse,
} from "../../gen/instantpayment/v1/account_service_pb.ts";
import type {
  LedgerFinding as WireFinding,
  LedgerService,
  VerifyLedgerResponse,
} from "../../gen/instantpayment/v1/ledger_service_pb.ts";
import type { ApiKeyService } from "../../gen/instantpayment/v1/api_key_service_pb.ts";
import type { PaymentService } from "../../gen/instantpayment/v1/payment_service_pb.ts";
import type { WebhookService } from "../../gen/instantpayment/v1/webhook_service_pb.ts";
import type * as sdk from "../../sdk/src/node.ts";
import { KEY_ANSWERS, KEY_REQUESTS } from "./sdk-key-contract.ts";
import { type FieldOf, PAYMENT_ANSWERS, PAYMENT_REQUESTS } from "./sdk-payment-contract.ts";
import { WEBHOOK_ANSWERS, WEBHOOK_REQUESTS } from "./sdk-webhook-contract.ts";

type RpcOf<Service extends { readonly method: object }> = keyof Service["method"];

/** The SDK's method for each RPC. `tsc` fails when the contract has one that isn't here. */
export const METHODS = {
  PaymentService: {
    createPayment: "createPayment",
    batchCreatePayments: "batchCreatePayments",
    capturePayment: "capturePayment",
    cancelPayment: "cancelPayment",
    refundPayment: "refundPayment",
    retryPayment: "retryPayment",
    getPayment: "getPayment",
    listPayments: "listPayments",
    watchPayment: "watchPayment",
  } satisfies Record<RpcOf<typeof PaymentService>, keyof sdk.InstantPayment>,
  AccountService: {
    createAccount: "createAccount",
    getAccount: "getAccount",
    listAccounts: "listAccounts",
    updateAccount: "updateAccount",
    getBalance: "getBalance",
    listEntries: "listEntries",
    watchAccount: "watchAccount",
  } satisfies Record<RpcOf<typeof AccountService>, keyof sdk.InstantPayment>,
  LedgerService: {
    verifyLedger: "verifyLedger",
  } satisfies Record<RpcOf<typeof LedgerService>, keyof sdk.InstantPayment>,
  ApiKeyService: {
    createApiKey: "createApiKey",
    listApiKeys: "listApiKeys",
    rotateApiKey: "rotateApiKey",
    revokeApiKey: "revokeApiKey",
  } satisfies Record<RpcOf<typeof ApiKeyService>, keyof sdk.InstantPayment>,
  WebhookService: {
    createWebhookEndpoint: "createWebhookEndpoint",
    getWebhookEndpoint: "getWebhookEndpoint",
    listWebhookEndpoints: "listWebhookEndpoints",
    updateWebhookEndpoint: "updateWebhookEndpoint",
    deleteWebhookEndpoint: "deleteWebhookEndpoint",
    rotateWebhookSecret: "rotateWebhookSecret",
    listWebhookDeliveries: "listWebhookDeliveries",
    redeliverWebhook: "redeliverWebhook",
  } satisfies Record<RpcOf<typeof WebhookService>, keyof sdk.InstantPayment>,
};

/**
 * Where the SDK takes each field of a request. "itself": it's an argument of its own.
 * `tsc` fails when the contract has a field that isn't here, or the SDK lacks the property.
 */
export const REQUESTS = {
  ...PAYMENT_REQUESTS,
  ...KEY_REQUESTS,
  ...WEBHOOK_REQUESTS,
  CreateAccountRequest: {
    accountId: "accountId",
    ownerId: "ownerId",
    currencyCode: "currencyCode",
    overdraftMode: "overdraftMode",
    overdraftLimitMinor: "overdraftLimit",
    metadata: "metadata",
  } satisfies Record<FieldOf<CreateAccountRequest>, keyof sdk.NewAccount>,
  GetAccountRequest: { accountId: "itself" },
  ListAccountsRequest: {
    ownerId: "ownerId",
    status: "status",
    pageSize: "pageSize",
    pageToken: "pageToken",
  } satisfies Record<FieldOf<ListAccountsRequest>, keyof sdk.AccountFilter>,
  UpdateAccountRequest: {
    accountId: "itself",
    version: "version",
    status: "status",
    overdraftMode: "overdraftMode",
    overdraftLimitMinor: "overdraftLimit",
    metadata: "metadata",
    clearMetadata: "metadata",
  } satisfies Record<FieldOf<UpdateAccountRequest>, keyof sdk.AccountChange | "itself">,
  GetBalanceRequest: {
    accountId: "itself",
    readTime: "readTime",
  } satisfies Record<FieldOf<GetBalanceRequest>, keyof sdk.BalanceOptions | "itself">,
  ListEntriesRequest: {
    accountId: "itself",
    afterSequence: "afterSequence",
    startTime: "startTime",
    endTime: "endTime",
    pageSize: "pageSize",
    pageToken: "pageToken",
  } satisfies Record<FieldOf<ListEntriesRequest>, keyof sdk.EntryFilter | "itself">,
  WatchAccountRequest: { accountId: "itself", afterSequence: "afterSequence" } satisfies Record<
    FieldOf<WatchAccountRequest>,
    keyof sdk.WatchOptions | "itself"
  >,
  VerifyLedgerRequest: {},
};

/** Where the SDK shows each field of an answer; "itself": it's what the method returns. */
export const ANSWERS = {
  ...PAYMENT_ANSWERS,
  ...KEY_ANSWERS,
  ...WEBHOOK_ANSWERS,
  Account: {
    id: "id",
    ownerId: "ownerId",
    currencyCode: "currencyCode",
    postedMinor: "posted",
    heldMinor: "held",
    availableMinor: "available",
    overdraftMode: "overdraftMode",
    overdraftLimitMinor: "overdraftLimit",
    status: "status",
    version: "version",
    entrySequence: "entrySequence",
    metadata: "metadata",
    createTime: "createTime",
    updateTime: "updateTime",
  } satisfies Record<FieldOf<WireAccount>, keyof sdk.Account>,
  CreateAccountResponse: { account: "itself" },
  GetAccountResponse: { account: "itself" },
  UpdateAccountResponse: { account: "itself" },
  ListAccountsResponse: { accounts: "items", nextPageToken: "nextPageToken" },
  Balance: {
    accountId: "accountId",
    currencyCode: "currencyCode",
    postedMinor: "posted",
    heldMinor: "held",
    availableMinor: "available",
    version: "version",
    entrySequence: "entrySequence",
    asOfTime: "asOfTime",
  } satisfies Record<FieldOf<WireBalance>, keyof sdk.Balance>,
  GetBalanceResponse: { balance: "itself" },
  Entry: {
    sequence: "sequence",
    paymentId: "paymentId",
    amountMinor: "amount",
    balanceAfterMinor: "balanceAfter",
    counterpartyAccountId: "counterpartyAccountId",
    createTime: "createTime",
  } satisfies Record<FieldOf<WireEntry>, keyof sdk.Entry>,
  ListEntriesResponse: {
    entries: "items",
    openingBalanceMinor: "openingBalance",
    closingBalanceMinor: "closingBalance",
    nextPageToken: "nextPageToken",
  } satisfies Record<FieldOf<ListEntriesResponse>, keyof sdk.StatementPage>,
  WatchAccountResponse: { entry: "entry", balance: "balance" } satisfies Record<
    FieldOf<WatchAccountResponse>,
    keyof sdk.AccountUpdate
  >,
  VerifyLedgerResponse: {
    ok: "ok",
    accountCount: "accountCount",
    paymentCount: "paymentCount",
    entryCount: "entryCount",
    eventCount: "eventCount",
    findings: "findings",
  } satisfies Record<FieldOf<VerifyLedgerResponse>, keyof sdk.LedgerReport>,
  LedgerFinding: { kind: "kind", subjectId: "subjectId", detail: "detail" } satisfies Record<
    FieldOf<WireFinding>,
    keyof sdk.LedgerFinding
  >,
};
