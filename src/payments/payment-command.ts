import { hash } from "node:crypto";
import type { PaymentRow } from "./payment.entity.ts";

/** A request to move money, checked and ready for the ledger. */
export interface PaymentCommand {
  /** The payment's id, made before its first attempt and kept in all of them. */
  readonly paymentId: string;
  /** The time in `paymentId`. */
  readonly createTime: Date;
  /** Whose idempotency key it is. */
  readonly ownerId: string;
  /** True if the caller may pay from accounts of others. */
  readonly isAdmin: boolean;
  readonly idempotencyKey: string;
  readonly requestDigest: Buffer;
  readonly request: PaymentRequest;
}

/** The accounts that a command needs; the ledger locks no others for it. */
export function accountsOf({ request }: PaymentCommand): string[] {
  return [request.debtorAccountId, request.creditorAccountId];
}

/** The name under which a key exists once: keys of different owners are different keys. */
export function keyName(ownerId: string, idempotencyKey: string): string {
  return `${ownerId}\n${idempotencyKey}`;
}

/** Commands that are decided one after the other in the same transaction. */
export interface CommandUnit {
  readonly commands: readonly PaymentCommand[];
  /** All settle or nothing is written; otherwise a unit has one command. */
  readonly atomic: boolean;
}

/** What the caller asked for, with defaults filled in. */
export interface PaymentRequest {
  readonly debtorAccountId: string;
  readonly creditorAccountId: string;
  readonly currencyCode: string;
  readonly amountMinor: bigint;
  readonly endToEndId: string;
  readonly remittanceInformation: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly expireTime: Date | null;
}

/** SHA-256 of the request with its fields in one order and its maps sorted. */
export function digestRequest(request: PaymentRequest): Buffer {
  const canonical = JSON.stringify(["CreatePayment", ...Object.values(comparable(request))]);
  return hash("sha256", canonical, "buffer");
}

/** The proto name of a field in which a request differs from the payment stored for its key. */
export function findDifference(request: PaymentRequest, payment: PaymentRow): string | undefined {
  const sent = comparable(request);
  const stored = comparable(payment);
  for (const field of Object.keys(sent) as (keyof typeof sent)[]) {
    if (sent[field] !== stored[field]) return field;
  }
  return undefined;
}

function comparable(request: PaymentRequest) {
  return {
    debtor_account_id: request.debtorAccountId,
    creditor_account_id: request.creditorAccountId,
    "amount.currency_code": request.currencyCode,
    "amount.amount_minor": request.amountMinor.toString(),
    end_to_end_id: request.endToEndId,
    remittance_information: request.remittanceInformation,
    metadata: sortedJson(request.metadata),
    expire_time: request.expireTime?.toISOString() ?? "",
  };
}

function sortedJson(metadata: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(metadata);
  if (pairs.length === 0) return "[]";
  return JSON.stringify(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
