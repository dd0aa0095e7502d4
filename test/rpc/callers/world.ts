import { randomUUID } from "node:crypto";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  AccountService,
  OverdraftMode,
} from "../../../gen/instantpayment/v1/account_service_pb.ts";
import { ApiKeyService } from "../../../gen/instantpayment/v1/api_key_service_pb.ts";
import { CaptureMode, PaymentService } from "../../../gen/instantpayment/v1/payment_service_pb.ts";
import { WebhookService } from "../../../gen/instantpayment/v1/webhook_service_pb.ts";
import { SCOPES, type Scope } from "../../../src/kernel/principal.ts";
import { clientOf, makeKey } from "../../support/keys.ts";
import { until } from "../../support/relay.ts";
import { startTestApp, type TestApp } from "../../support/running-app.ts";

/** The service with what belongs to Alice, and keys of all kinds. */
export interface World {
  readonly app: TestApp;
  /** Alice's two accounts, the first with money, and what she paid from it into the second. */
  readonly account: string;
  readonly otherAccount: string;
  readonly payment: string;
  /** Between the same accounts: two that are held, and one that was rejected. */
  readonly captured: string;
  readonly cancelled: string;
  readonly rejected: string;
  readonly apiKey: string;
  /** Alice's webhook endpoints, one of them to be removed, and what the first was to be sent. */
  readonly webhook: string;
  readonly unusedWebhook: string;
  readonly delivery: string;
  /** Secrets. Alice's and Bob's keys have every scope but `admin`. */
  readonly alice: string;
  readonly bob: string;
  readonly revoked: string;
  readonly expired: string;
  readonly rotatedOut: string;
  /** A key of Alice that has every scope but this one (and but `admin`). */
  readonly without: ReadonlyMap<Scope, string>;
  /** Ids that there is nothing under. */
  readonly unknownAccount: string;
  readonly unknownPayment: string;
}

/** Starts the service and fills it. What was ended works no more when this resolves. */
export async function openWorld(): Promise<World> {
  const app = await startTestApp();
  const keys = clientOf(ApiKeyService, app.apiUrl, app.adminKey);
  const accounts = clientOf(AccountService, app.apiUrl, app.adminKey);
  const payments = clientOf(PaymentService, app.apiUrl, app.adminKey);
  const open = async (ownerId: string, overdraftMode?: OverdraftMode) =>
    (await accounts.createAccount({ ownerId, currencyCode: "EUR", overdraftMode })).account!.id;
  const pay = async (
    debtorAccountId: string,
    creditorAccountId: string,
    amountMinor: bigint,
    captureMode: CaptureMode = CaptureMode.AUTOMATIC,
  ) =>
    (
      await payments.createPayment({
        idempotencyKey: randomUUID(),
        debtorAccountId,
        creditorAccountId,
        amount: { currencyCode: "EUR", amountMinor },
        captureMode,
      })
    ).payment!.id;
  const bank = await open("bank", OverdraftMode.UNBOUNDED);
  const [account, otherAccount] = [await open("alice"), await open("alice")];
  await pay(bank, account, 1_000_000n);
  const alice = await makeKey(app, "alice");
  const webhooks = clientOf(WebhookService, app.apiUrl, alice.secret);
  const listen = async (url: string) =>
    (await webhooks.createWebhookEndpoint({ url })).webhookEndpoint!.id;
  const webhook = await listen("https://nobody.invalid/");
  const unusedWebhook = await listen("https://nobody.invalid/unused");
  const payment = await pay(account, otherAccount, 1_000n);

  const captured = await pay(account, otherAccount, 10n, CaptureMode.MANUAL);
  const cancelled = await pay(account, otherAccount, 10n, CaptureMode.MANUAL);
  const rejected = await pay(account, otherAccount, 10_000_000n);

  const all = [...SCOPES];
  const expireTime = timestampFromMs(Date.now() + 300);
  const expired = await keys.createApiKey({ ownerId: "alice", scopes: all, expireTime });
  const revoked = await makeKey(app, "alice", all);
  await keys.revokeApiKey({ apiKeyId: revoked.id });
  const rotatedOut = await makeKey(app, "alice", all);
  await keys.rotateApiKey({ apiKeyId: rotatedOut.id, gracePeriod: { seconds: 0n, nanos: 0 } });
  const without = new Map<Scope, string>();
  for (const scope of SCOPES) {
    const others = SCOPES.filter((other) => other !== scope && other !== "admin");
    without.set(scope, (await makeKey(app, "alice", others)).secret);
  }
  await new Promise((resolve) => setTimeout(resolve, 400));
  const firstDelivery = async () =>
    (await webhooks.listWebhookDeliveries({ webhookEndpointId: webhook })).deliveries.at(-1)?.id;
  await until(async () => (await firstDelivery()) !== undefined, "a delivery is there");
  return {
    app,
    account,
    otherAccount,
    payment,
    captured,
    cancelled,
    rejected,
    apiKey: (await makeKey(app, "alice")).id,
    webhook,
    unusedWebhook,
    delivery: (await firstDelivery())!,
    alice: alice.secret,
    bob: (await makeKey(app, "bob")).secret,
    revoked: revoked.secret,
    expired: expired.secret,
    rotatedOut: rotatedOut.secret,
    without,
    // Of the same version and time as one that is there, so that the same partition is looked at.
    unknownAccount: `${account.slice(0, -4)}${account.endsWith("0000") ? "0001" : "0000"}`,
    unknownPayment: `${payment.slice(0, -4)}${payment.endsWith("0000") ? "0001" : "0000"}`,
  };
}
