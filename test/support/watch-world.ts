import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import {
  AccountService,
  OverdraftMode,
  type WatchAccountResponse,
} from "../../gen/instantpayment/v1/account_service_pb.ts";
import {
  PaymentEventType,
  type Payment,
  type PaymentEvent,
} from "../../gen/instantpayment/v1/payment_pb.ts";
import {
  CaptureMode,
  PaymentService,
  type WatchPaymentResponse,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { expectInvariants } from "./invariants.ts";
import { clientOf } from "./keys.ts";
import { createMigratedDatabase } from "./ledger.ts";
import { startTestApp, type TestApp } from "./running-app.ts";
import type { Heard } from "./watching.ts";

/** Two instances on one database: what is done on the first is heard on both. */
export interface WatchWorld {
  readonly databaseUrl: string;
  readonly apps: readonly [TestApp, TestApp];
  readonly payments: ReturnType<typeof clientOf<typeof PaymentService>>;
  /** An account that pays any amount. */
  readonly bank: string;
  readonly open: (ownerId: string, overdraftMode?: OverdraftMode) => Promise<string>;
  readonly pay: (
    debtorAccountId: string,
    creditorAccountId: string,
    amountMinor: bigint,
    more?: Readonly<Record<string, unknown>>,
  ) => Promise<Payment>;
  /** Ends all. Fails the test unless every rule of the ledger holds. */
  readonly close: () => Promise<void>;
}

/** Starts the instances. */
export async function openWatchWorld(): Promise<WatchWorld> {
  const database = await createMigratedDatabase();
  const first = await startTestApp({ DATABASE_URL: database.url });
  const apps = [first, await startTestApp({ DATABASE_URL: database.url })] as const;
  const payments = clientOf(PaymentService, first.apiUrl, first.adminKey);
  const accounts = clientOf(AccountService, first.apiUrl, first.adminKey);
  const open: WatchWorld["open"] = async (ownerId, overdraftMode) => {
    const request = { ownerId, currencyCode: "EUR", overdraftMode };
    return (await accounts.createAccount(request)).account!.id;
  };
  return {
    databaseUrl: database.url,
    apps,
    payments,
    bank: await open("bank", OverdraftMode.UNBOUNDED),
    open,
    async pay(debtorAccountId, creditorAccountId, amountMinor, more) {
      const sides = { debtorAccountId, creditorAccountId };
      const request = { ...byKey(), ...sides, amount: euros(amountMinor), ...more };
      return (await payments.createPayment(request)).payment!;
    },
    async close() {
      await Promise.all(apps.map((app) => app.stop()));
      await expectInvariants(database.url);
      await database.drop();
    },
  };
}

/** So many cents. */
export const euros = (amountMinor: bigint) => ({ currencyCode: "EUR", amountMinor });

/** A new key for a request. */
export const byKey = () => ({ idempotencyKey: randomUUID() });

/** What makes a payment wait for its capture. */
export const MANUAL = { captureMode: CaptureMode.MANUAL };

/** The events that were heard. */
export function eventsOf({ messages }: Heard<WatchPaymentResponse>): PaymentEvent[] {
  return messages.map(({ event }) => event!);
}

const TYPES = new Map<number, string>(
  Object.entries(PaymentEventType).map(([name, type]) => [type, name]),
);

/** Type and sequence of each event. */
export function storyOf(heard: Heard<WatchPaymentResponse>): string[] {
  return eventsOf(heard).map(({ type, sequence }) => `${TYPES.get(type)} ${sequence}`);
}

/** Entry and balance of each message. */
export function statementOf({ messages }: Heard<WatchAccountResponse>): string[] {
  return messages.map(({ entry, balance }) =>
    [
      ...(entry ? [`#${entry.sequence} ${entry.amountMinor}`] : []),
      `${balance!.postedMinor} held ${balance!.heldMinor}`,
    ].join(" → "),
  );
}

/** Waits until what is found is what is expected; on a busy machine that takes a while. */
export async function expectSoon<T>(find: () => T, expected: T): Promise<void> {
  await expect.poll(find, { timeout: 10_000, interval: 10 }).toEqual(expected);
}
