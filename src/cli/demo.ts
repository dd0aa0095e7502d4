import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { MAX_AMOUNT_MINOR } from "../kernel/money.ts";
import { readOrCreate } from "../platform/data-directory.ts";

/** What the demo does through the service's own use cases, as the administrator. */
export interface DemoUseCases {
  /** Makes the account if there is none of that id, and returns it. */
  openAccount(account: {
    readonly accountId: string;
    readonly ownerId: string;
    readonly currencyCode: string;
    readonly overdraftMode: "NONE" | "UNBOUNDED";
  }): Promise<unknown>;
  createPayment(payment: {
    readonly idempotencyKey: string;
    readonly debtorAccountId: string;
    readonly creditorAccountId: string;
    readonly currencyCode: string;
    readonly amountMinor: bigint;
    /** Hold the funds for a capture. */
    readonly hold: boolean;
  }): Promise<{ readonly payment: { readonly id: string } }>;
  /** Makes a key of the owner if there is none that works, and returns it. */
  ensureKey(ownerId: string): Promise<{ readonly id: string }>;
  /** Makes two webhook endpoints of the owner unless there are two, and returns them. */
  ensureWebhooks(ownerId: string): Promise<readonly { readonly id: string }[]>;
}

/** What there is to play with. */
export interface Demo extends DemoAccounts {
  /** The payment that funded Alice's account. */
  readonly paymentId: string;
  /** A key of Alice, to be rotated and revoked. Nobody knows its secret. */
  readonly apiKeyId: string;
  /** Two endpoints of somebody without payments, one of them to be removed. Nothing is sent there. */
  readonly webhookId: string;
  readonly unusedWebhookId: string;
  /** Two payments to Bob that are held, and one that was rejected; new at each start. */
  readonly heldPaymentId: string;
  readonly cancelPaymentId: string;
  readonly rejectedPaymentId: string;
}

/** Ids of the accounts to play with. */
export interface DemoAccounts {
  /** Without a limit: where the other two's money comes from. */
  readonly funding: string;
  readonly alice: string;
  readonly bob: string;
}

const CURRENCY = "EUR";
const START_BALANCE_MINOR = 100_000n;
/** Of the funding account's, so that nobody else's money is bound. */
const HELD_MINOR = 2_000n;

/**
 * Makes the demo's accounts and funds two of them with 1,000.00 EUR, once.
 *
 * 1. Choose the ids and keep them in the data directory, so that every later step can be repeated.
 * 2. Open the accounts; one that is there stays as it is.
 * 3. Pay into two of them; their keys make it once, however often the service is started.
 * 4. Make an API key and webhook endpoints, for the reference's examples; those that are there are kept.
 * 5. Make what the examples capture, cancel and try again, at each start anew.
 */
export async function ensureDemo(dataDirectory: string, useCases: DemoUseCases): Promise<Demo> {
  const { content } = await readOrCreate(
    join(dataDirectory, "demo.json"),
    () => JSON.stringify({ funding: randomUUID(), alice: randomUUID(), bob: randomUUID() }),
    namesAccounts,
  );
  const accounts: DemoAccounts = JSON.parse(content);
  const open = (ownerId: keyof DemoAccounts) =>
    useCases.openAccount({
      accountId: accounts[ownerId],
      ownerId,
      currencyCode: CURRENCY,
      overdraftMode: ownerId === "funding" ? "UNBOUNDED" : "NONE",
    });
  await open("funding");
  const fund = async (ownerId: "alice" | "bob") => {
    await open(ownerId);
    const { payment } = await useCases.createPayment({
      idempotencyKey: `demo-funding-${accounts[ownerId]}`,
      debtorAccountId: accounts.funding,
      creditorAccountId: accounts[ownerId],
      currencyCode: CURRENCY,
      amountMinor: START_BALANCE_MINOR,
      hold: false,
    });
    return payment.id;
  };
  const forExample = async (amountMinor: bigint, hold: boolean) => {
    const { payment } = await useCases.createPayment({
      idempotencyKey: `demo-example-${randomUUID()}`,
      debtorAccountId: hold ? accounts.funding : accounts.alice,
      creditorAccountId: accounts.bob,
      currencyCode: CURRENCY,
      amountMinor,
      hold,
    });
    return payment.id;
  };
  const paymentId = await fund("alice");
  await fund("bob");
  const { id: apiKeyId } = await useCases.ensureKey("alice");
  const [webhook, unusedWebhook] = await useCases.ensureWebhooks("example");
  return {
    ...accounts,
    paymentId,
    apiKeyId,
    webhookId: webhook!.id,
    unusedWebhookId: unusedWebhook!.id,
    heldPaymentId: await forExample(HELD_MINOR, true),
    cancelPaymentId: await forExample(HELD_MINOR, true),
    rejectedPaymentId: await forExample(MAX_AMOUNT_MINOR, false),
  };
}

function namesAccounts(content: string): boolean {
  try {
    const { funding, alice, bob } = JSON.parse(content);
    return [funding, alice, bob].every((id) => typeof id === "string");
  } catch {
    return false;
  }
}
