import type { Duration } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import type { BatchCreatePaymentsError } from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { type ErrorCode, type ErrorParts, InstantPaymentError } from "./error.ts";
import { sdkFieldOf } from "./field-names.ts";

/** How one attempt failed. */
export interface Failure {
  readonly message: string;
  readonly parts: ErrorParts;
  /** Sending the same again may help. */
  readonly retryable: boolean;
  /** The service may have done what was asked. */
  readonly open: boolean;
  /** The service's verdict on the request itself: it holds for earlier attempts as well. */
  readonly verdict: boolean;
}

const CODES: Readonly<Record<Code, ErrorCode>> = {
  [Code.Canceled]: "canceled",
  [Code.Unknown]: "unknown",
  [Code.InvalidArgument]: "invalid_argument",
  [Code.DeadlineExceeded]: "deadline_exceeded",
  [Code.NotFound]: "not_found",
  [Code.AlreadyExists]: "already_exists",
  [Code.PermissionDenied]: "permission_denied",
  [Code.ResourceExhausted]: "resource_exhausted",
  [Code.FailedPrecondition]: "failed_precondition",
  [Code.Aborted]: "aborted",
  [Code.OutOfRange]: "out_of_range",
  [Code.Unimplemented]: "unimplemented",
  [Code.Internal]: "internal",
  [Code.Unavailable]: "unavailable",
  [Code.DataLoss]: "data_loss",
  [Code.Unauthenticated]: "unauthenticated",
};

/** Codes with which the service says nothing about what became of the request. */
const OPEN: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "canceled",
  "unknown",
  "deadline_exceeded",
  "internal",
  "unavailable",
  "data_loss",
]);

/** What only a gateway or another server answers without the service's reason; no use to repeat. */
const REFUSED_ON_THE_WAY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "unauthenticated",
  "permission_denied",
  "unimplemented",
]);

const ELSEWHERE =
  "baseUrl doesn't seem to be the service's API, or the service is older than this package: ";
const CLEARTEXT = "baseUrl begins with https, but what answers there doesn't speak TLS: ";

/** What OpenSSL says of an answer that isn't TLS, in Node's EPROTO. It never passes. */
const NOT_TLS = /SSL routines:.*(wrong version number|packet length too long)/;

/**
 * Tells what an attempt's error means. Only an error with the service's ErrorInfo is its answer;
 * anything else is a transport's failure, whatever its code (a cut body looks like a bad one). But
 * where nothing is at the path, HTTP 404 and 405, and where nobody speaks TLS, the address is wrong.
 */
export function failureFrom(cause: unknown): Failure {
  const error = ConnectError.from(cause);
  const info = error.findDetails(ErrorInfoSchema).find((info) => info.domain === "instantpayment");
  // Connect knows no code for 405.
  const isMissing = error.rawMessage === "HTTP 405";
  const wireCode = isMissing ? "unimplemented" : CODES[error.code];
  const isElsewhere = info === undefined && wireCode === "unimplemented";
  const isCleartext = NOT_TLS.test(error.rawMessage);
  const answered = info !== undefined || REFUSED_ON_THE_WAY.has(wireCode);
  const code = answered || wireCode === "deadline_exceeded" ? wireCode : "unavailable";
  const retryAfterMs = retryDelayMs(error);
  const violations = error.findDetails(BadRequestSchema).flatMap((one) => one.fieldViolations);
  return {
    message: (isElsewhere ? ELSEWHERE : isCleartext ? CLEARTEXT : "") + error.rawMessage.trim(),
    parts: {
      reason: info?.reason ?? code.toUpperCase(),
      code,
      violations: violations.map(({ field, description }) => ({
        field: sdkFieldOf(field),
        description,
      })),
      metadata: {
        ...info?.metadata,
        ...(violations.length > 0 && {
          contract_fields: violations.map(({ field }) => field).join(", "),
        }),
      },
      retryAfterMs,
      requestId: requestIdOf(error),
      cause,
    },
    retryable:
      (!answered && !isCleartext) || retryAfterMs !== undefined || code === "deadline_exceeded",
    open: !answered || OPEN.has(code),
    verdict: answered && (code === "invalid_argument" || code === "already_exists"),
  };
}

/** The error of one payment of a batch. */
export function batchError(
  { code: codeText, reason, message, metadata, retryDelay }: BatchCreatePaymentsError,
  idempotencyKey: string | undefined,
): InstantPaymentError {
  const code = Object.values(CODES).find((known) => known === codeText) ?? "unknown";
  const outcomeUnknown = OPEN.has(code);
  return new InstantPaymentError(message, {
    reason,
    code,
    metadata,
    retryAfterMs: retryDelay && toMs(retryDelay),
    outcomeUnknown,
    attempts: 1,
    idempotencyKey,
  });
}

function retryDelayMs(error: ConnectError): number | undefined {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay && toMs(delay);
}

function toMs({ seconds, nanos }: Pick<Duration, "seconds" | "nanos">): number {
  return Number(seconds) * 1000 + Math.ceil(nanos / 1e6);
}

function requestIdOf(error: ConnectError): string | undefined {
  const detail = error.findDetails(RequestInfoSchema)[0]?.requestId;
  return detail || error.metadata.get("x-request-id") || undefined;
}
