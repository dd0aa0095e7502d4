import type { ErrorReason } from "../../src/kernel/errors.ts";

/**
 * A field that is wrong and how: as this package names it, `amount.value`, whoever found it. If the
 * service did, `metadata.contract_fields` has the names of the contract, `amount.amount_minor`.
 */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** The Connect code, for example `already_exists`; see https://connectrpc.com/docs/protocol. */
export type ErrorCode =
  | "canceled"
  | "unknown"
  | "invalid_argument"
  | "deadline_exceeded"
  | "not_found"
  | "already_exists"
  | "permission_denied"
  | "resource_exhausted"
  | "failed_precondition"
  | "aborted"
  | "out_of_range"
  | "unimplemented"
  | "internal"
  | "unavailable"
  | "data_loss"
  | "unauthenticated";

/** What an InstantPaymentError is made of, besides its message. */
export interface ErrorParts {
  readonly reason: ErrorReason | (string & {});
  readonly code: ErrorCode;
  readonly violations?: readonly FieldViolation[];
  readonly metadata?: Readonly<Record<string, string>>;
  readonly retryAfterMs?: number | undefined;
  readonly requestId?: string | undefined;
  readonly outcomeUnknown?: boolean;
  readonly attempts?: number;
  readonly idempotencyKey?: string | undefined;
  readonly accountId?: string | undefined;
  readonly cause?: unknown;
}

/** A call that failed. Branch on `reason`; the message is for people and may change. */
export class InstantPaymentError extends Error {
  override readonly name = "InstantPaymentError";
  /**
   * Why, from the service's catalogue of errors. What the service didn't say itself (it couldn't be
   * reached, a proxy answered) is named after the code: `UNAVAILABLE`, `UNKNOWN` ...
   */
  readonly reason: ErrorReason | (string & {});
  readonly code: ErrorCode;
  /** The fields that are wrong; empty if the error isn't about fields. */
  readonly violations: readonly FieldViolation[];
  /** Names and values that help, for example the field that differs from an earlier request. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Sending the same again after this many milliseconds may help. */
  readonly retryAfterMs: number | undefined;
  /** What to tell the operator, who finds the call in the log by it. */
  readonly requestId: string | undefined;
  /**
   * True if the service may have done what was asked, because an answer never came. Then only the
   * same request with the same `idempotencyKey` (`accountId` for a new account) tells the truth.
   */
  readonly outcomeUnknown: boolean;
  /** How often the request was sent; 0 if it was refused before. */
  readonly attempts: number;
  /** The key that the payment was sent with. */
  readonly idempotencyKey: string | undefined;
  /** The id that the new account was sent with. */
  readonly accountId: string | undefined;

  constructor(message: string, parts: ErrorParts) {
    super(message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.reason = parts.reason;
    this.code = parts.code;
    this.violations = parts.violations ?? [];
    this.metadata = parts.metadata ?? {};
    this.retryAfterMs = parts.retryAfterMs;
    this.requestId = parts.requestId;
    this.outcomeUnknown = parts.outcomeUnknown ?? false;
    this.attempts = parts.attempts ?? 0;
    this.idempotencyKey = parts.idempotencyKey;
    this.accountId = parts.accountId;
  }
}

/** The error for one field that is refused before anything is sent. */
export function invalidInput(field: string, description: string): InstantPaymentError {
  return new InstantPaymentError(`${field} ${description}`, {
    reason: "INVALID_FIELD",
    code: "invalid_argument",
    violations: [{ field, description }],
  });
}

/** A value as errors show it: a text in quotes, of anything else only what it is. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
