import { hash } from "node:crypto";
import type { Call } from "../kernel/call.ts";
import { uuidv7 } from "../kernel/ids.ts";
import { isAdmin } from "../kernel/principal.ts";
import type { PaymentRow } from "./payment.entity.ts";
import type { Asked, RetryPolicy } from "./payment.ts";

/** What the ledger's transaction does: it makes a payment, or changes one that is there. */
export type PaymentCommand = CreateCommand | TargetCommand | DueCommand;

/** A command that a caller sent under an idempotency key. */
export type KeyedCommand = CreateCommand | TargetCommand;

/** A command of a caller on a payment that is there. */
export type TargetCommand = CaptureCommand | CancelCommand | RefundCommand | RetryCommand;

interface Identity {
  /** Made before the first attempt and kept in all of them; of the payment that it makes, if any. */
  readonly id: string;
  /** The time in `id`. */
  readonly createTime: Date;
}

interface Keyed extends Identity {
  /** Whose idempotency key it is. */
  readonly ownerId: string;
  /** True if the caller may pay from accounts of others. */
  readonly isAdmin: boolean;
  readonly idempotencyKey: string;
  readonly requestDigest: Buffer;
  /** What was asked for, in texts that can be compared. */
  readonly asked: Asked;
  /** Of the call that it came with (W3C Trace Context). */
  readonly traceparent: string | null;
}

/** A request to move money, checked and ready for the ledger. */
export interface CreateCommand extends Keyed {
  readonly kind: "create";
  readonly request: PaymentRequest;
}

/** What all commands of callers on a payment have. */
export interface TargetBase extends Keyed {
  readonly target: Target;
}

/** Books what is held. */
export interface CaptureCommand extends TargetBase {
  readonly kind: "capture";
  /** Undefined: all that is held. */
  readonly amount: Amount | undefined;
  /** Release the rest. */
  readonly final: boolean;
}

/** Ends an open payment. */
export interface CancelCommand extends TargetBase {
  readonly kind: "cancel";
}

/** Gives back what was captured, by a payment of its own. */
export interface RefundCommand extends TargetBase {
  readonly kind: "refund";
  /** Undefined: all that is left. */
  readonly amount: Amount | undefined;
  readonly remittanceInformation: string;
}

/** Tries a pending payment now, or a rejected one by a payment of its own. */
export interface RetryCommand extends TargetBase {
  readonly kind: "retry";
}

/** The scheduler's: expires the payment or tries it again, whatever is due. It has no key. */
export interface DueCommand extends Identity {
  readonly kind: "due";
  readonly target: Target;
  /** The payment's when it was found due: another one now means that somebody did it already. */
  readonly sequence: number;
}

/** The payment that a command is about; what never changes of it. */
export type Target = Pick<
  PaymentRow,
  "id" | "createTime" | "debtorAccountId" | "creditorAccountId"
>;

/** An amount of money as the caller wrote it. */
export interface Amount {
  readonly currencyCode: string;
  readonly amountMinor: bigint;
}

/** The accounts that a command needs; the ledger locks no others for it. */
export function accountsOf(command: PaymentCommand): string[] {
  const sides = command.kind === "create" ? command.request : command.target;
  return [sides.debtorAccountId, sides.creditorAccountId];
}

/** The payments that a command makes or changes, or would have. */
export function paymentsOf(command: PaymentCommand): string[] {
  return command.kind === "create" ? [command.id] : [command.id, command.target.id];
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
  /** Hold the funds for at most so long, in milliseconds; null: book at once. */
  readonly holdDurationMs: number | null;
  readonly retryPolicy: RetryPolicy | null;
  readonly expireTime: Date | null;
}

/** What CreatePayment was asked for. */
export function askedOfCreate(request: PaymentRequest): Asked {
  return {
    method: "CreatePayment",
    debtor_account_id: request.debtorAccountId,
    creditor_account_id: request.creditorAccountId,
    "amount.currency_code": request.currencyCode,
    "amount.amount_minor": request.amountMinor.toString(),
    end_to_end_id: request.endToEndId,
    remittance_information: request.remittanceInformation,
    metadata: sortedJson(request.metadata),
    capture_mode: request.holdDurationMs === null ? "AUTOMATIC" : "MANUAL",
    hold_duration: String(request.holdDurationMs ?? ""),
    retry_policy: request.retryPolicy ? policyText(request.retryPolicy) : "",
    expire_time: request.expireTime?.toISOString() ?? "",
  };
}

/** True if a payment that was made by this request tells all that was asked for. */
export function isToldByPayment(command: KeyedCommand): boolean {
  if (command.kind !== "create") return false;
  return command.request.holdDurationMs === null && command.request.retryPolicy === null;
}

/** SHA-256 of the request with its fields in one order and its maps sorted. */
export function digestAsked(asked: Asked): Buffer {
  return hash("sha256", JSON.stringify(Object.values(asked)), "buffer");
}

/** The proto name of a field in which a request differs from the one stored for its key. */
export function findDifference(sent: Asked, stored: Asked): string | undefined {
  return Object.keys({ ...sent, ...stored }).find((field) => sent[field] !== stored[field]);
}

/** The parts that all commands of callers have. The fields of `asked` are in a fixed order. */
export function keyedCommand(
  { principal, traceparent }: Pick<Call, "principal" | "traceparent">,
  { idempotencyKey, asked, nowMs }: { idempotencyKey: string; asked: Asked; nowMs: number },
): Keyed {
  return {
    id: uuidv7(nowMs),
    createTime: new Date(nowMs),
    ownerId: principal.ownerId,
    isAdmin: isAdmin(principal),
    idempotencyKey,
    requestDigest: digestAsked(asked),
    asked,
    traceparent: traceparent ?? null,
  };
}

function policyText(policy: RetryPolicy): string {
  return `${policy.maxAttempts} ${policy.initialBackoffMs} ${policy.maxBackoffMs}`;
}

function sortedJson(metadata: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(metadata);
  if (pairs.length === 0) return "[]";
  return JSON.stringify(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
