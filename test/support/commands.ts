import type { AccountState } from "../../src/accounts/account.ts";
import { uuidv7 } from "../../src/kernel/ids.ts";
import {
  askedOfCreate,
  keyedCommand,
  type CreateCommand,
  type PaymentRequest,
} from "../../src/payments/payment-command.ts";

/** 2026-01-01, the time at which accounts and commands of unit tests are made. */
export const TEST_TIME_MS = Date.UTC(2026, 0, 1);

/** An open account of alice in EUR with nothing in it, but for what is given. */
export function testAccount(settings: Partial<AccountState> = {}): AccountState {
  return {
    id: uuidv7(TEST_TIME_MS),
    ownerId: "alice",
    currencyCode: "EUR",
    postedMinor: 0n,
    heldMinor: 0n,
    overdraftMode: "NONE",
    overdraftLimitMinor: 0n,
    status: "OPEN",
    version: 1,
    entrySequence: 0,
    updateTime: new Date(TEST_TIME_MS),
    ...settings,
  };
}

/** A request for 1.00 EUR between two accounts that needn't exist, but for what is given. */
export function testRequest(settings: Partial<PaymentRequest> = {}): PaymentRequest {
  return {
    debtorAccountId: "00000000-0000-4000-8000-00000000000a",
    creditorAccountId: "00000000-0000-4000-8000-00000000000b",
    currencyCode: "EUR",
    amountMinor: 100n,
    endToEndId: "",
    remittanceInformation: "",
    metadata: {},
    holdDurationMs: null,
    retryPolicy: null,
    expireTime: null,
    ...settings,
  };
}

/** A command of alice under a key of its own, but for what is given. */
export function testCommand(
  settings: Partial<PaymentRequest> = {},
  caller: Partial<Pick<CreateCommand, "ownerId" | "isAdmin" | "idempotencyKey">> = {},
): CreateCommand {
  const request = testRequest(settings);
  const asked = askedOfCreate(request);
  const principal = { ownerId: "alice", scopes: new Set<never>() };
  const base = keyedCommand({ principal }, { idempotencyKey: "", asked, nowMs: TEST_TIME_MS });
  return { ...base, kind: "create", idempotencyKey: `key of ${base.id}`, request, ...caller };
}
