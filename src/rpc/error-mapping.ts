import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { ServiceError, type ErrorReason } from "../kernel/errors.ts";
import { isPassing } from "../platform/postgres-errors.ts";
import { CODE_BY_REASON, ERROR_DOMAIN } from "./error-codes.ts";

/** The code's name in logs and metrics, as Connect writes it; "ok" without an error. */
export function codeName(error: ServiceError | undefined): string {
  return error === undefined ? "ok" : codeToString(CODE_BY_REASON[error.reason]);
}

/** The error as one result among others tells it; an INTERNAL one keeps its cause to the log. */
export function describeError(error: ServiceError) {
  return {
    code: codeName(error),
    reason: error.reason,
    message: error.reason === "INTERNAL" ? "internal error" : error.message,
    metadata: error.metadata,
    retryAfterMs: retryAfterMsOf(error),
  };
}

/** When to send the same again; undefined if that doesn't help. */
function retryAfterMsOf({ retryAfterMs, reason }: ServiceError): number | undefined {
  return retryAfterMs ?? RETRY_AFTER_MS[reason];
}

/** When to send the same again, if the error itself doesn't say; in milliseconds. */
const RETRY_AFTER_MS: Partial<Record<ErrorReason, number>> = {
  DEADLINE_EXCEEDED: 100,
  OVERLOADED: 1_000,
  UNAVAILABLE: 1_000,
  STREAM_TOO_SLOW: 1_000,
  STREAM_INTERRUPTED: 100,
};

/** What an error of Connect itself, or of code that throws ConnectError, is in the catalogue. */
const REASON_BY_CODE: Partial<Record<Code, ErrorReason>> = {
  [Code.Canceled]: "CANCELLED",
  [Code.Aborted]: "CANCELLED",
  [Code.InvalidArgument]: "MALFORMED_REQUEST",
  [Code.DeadlineExceeded]: "DEADLINE_EXCEEDED",
  [Code.ResourceExhausted]: "REQUEST_TOO_LARGE",
  [Code.Unimplemented]: "UNIMPLEMENTED",
  [Code.Unavailable]: "UNAVAILABLE",
};

/**
 * The catalogue's error for anything that was thrown. PostgreSQL away, full or slow, or a lost race is
 * UNAVAILABLE; what isn't known is INTERNAL and says nothing but that. The original is the `cause`.
 */
export function toServiceError(thrown: unknown): ServiceError {
  if (thrown instanceof ServiceError) return thrown;
  if (thrown instanceof ConnectError) {
    // Connect calls a body that isn't Protobuf an internal error.
    const malformed = thrown.rawMessage.startsWith("parse binary");
    const reason = malformed ? "MALFORMED_REQUEST" : REASON_BY_CODE[thrown.code];
    if (reason !== undefined) {
      return new ServiceError(reason, { message: thrown.rawMessage, cause: thrown });
    }
  }
  if (isPassing(thrown)) {
    return new ServiceError("UNAVAILABLE", { cause: thrown });
  }
  return new ServiceError("INTERNAL", { message: "internal error", cause: thrown });
}

// gRPC carries errors in trailers, and clients take no more than 8 KiB of them.
const MAX_VIOLATIONS = 10;

function shorten(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  return `${text.slice(0, maxLength - 1).toWellFormed()}…`;
}

/**
 * The error as every protocol sends it: code, message, google.rpc details (of violations the first
 * ten), and the header `Retry-After` (in seconds) where sending the same request again helps.
 */
export function toConnectError(error: ServiceError, requestId: string): ConnectError {
  const code = CODE_BY_REASON[error.reason];
  const message = error.reason === "INTERNAL" ? "internal error" : shorten(error.message, 300);
  const connectError = new ConnectError(message, code);
  const add = <Desc extends DescMessage>(desc: Desc, value: MessageInitShape<Desc>): void => {
    connectError.details.push({ desc, value: create(desc, value) });
  };
  add(ErrorInfoSchema, { reason: error.reason, domain: ERROR_DOMAIN, metadata: error.metadata });
  if (error.violations.length > 0) {
    const fieldViolations = error.violations.slice(0, MAX_VIOLATIONS).map((each) => ({
      field: shorten(each.field, 100),
      description: shorten(each.description, 200),
    }));
    add(BadRequestSchema, { fieldViolations });
  }
  const retryAfterMs = retryAfterMsOf(error);
  if (retryAfterMs !== undefined) {
    add(RetryInfoSchema, { retryDelay: durationFromMs(retryAfterMs) });
    connectError.metadata.set("retry-after", String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  }
  // What isn't the caller's and what doesn't exist get the same bytes: no id in the body.
  if (code !== Code.NotFound) add(RequestInfoSchema, { requestId });
  return connectError;
}
