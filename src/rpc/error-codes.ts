import { Code } from "@connectrpc/connect";
import type { ErrorReason } from "../kernel/errors.ts";

// Apart from error-mapping.ts, because what generates code reads it and so can't import from gen/.

/** The `domain` of every ErrorInfo. */
export const ERROR_DOMAIN = "instantpayment";

/** How each reason is told over the wire; a reason without a code doesn't compile. */
export const CODE_BY_REASON = {
  INVALID_FIELD: Code.InvalidArgument,
  MALFORMED_REQUEST: Code.InvalidArgument,
  INVALID_PAGE_TOKEN: Code.InvalidArgument,
  EXPIRE_TIME_PASSED: Code.InvalidArgument,
  MISSING_CREDENTIALS: Code.Unauthenticated,
  MISSING_SCOPE: Code.PermissionDenied,
  ACCOUNT_NOT_FOUND: Code.NotFound,
  PAYMENT_NOT_FOUND: Code.NotFound,
  API_KEY_NOT_FOUND: Code.NotFound,
  WEBHOOK_ENDPOINT_NOT_FOUND: Code.NotFound,
  WEBHOOK_DELIVERY_NOT_FOUND: Code.NotFound,
  SERVICE_UNKNOWN: Code.NotFound,
  IDEMPOTENCY_KEY_REUSED: Code.AlreadyExists,
  ACCOUNT_ID_TAKEN: Code.AlreadyExists,
  ACCOUNT_VERSION_MISMATCH: Code.Aborted,
  ACCOUNT_STATE_FORBIDS: Code.FailedPrecondition,
  API_KEY_ENDED: Code.FailedPrecondition,
  WEBHOOK_ENDPOINT_LIMIT: Code.FailedPrecondition,
  WEBHOOK_ENDPOINT_DISABLED: Code.FailedPrecondition,
  DEADLINE_EXCEEDED: Code.DeadlineExceeded,
  CANCELLED: Code.Canceled,
  REQUEST_TOO_LARGE: Code.ResourceExhausted,
  OVERLOADED: Code.ResourceExhausted,
  UNAVAILABLE: Code.Unavailable,
  STREAM_TOO_SLOW: Code.ResourceExhausted,
  STREAM_INTERRUPTED: Code.Unavailable,
  UNIMPLEMENTED: Code.Unimplemented,
  PAYMENT_NOT_HELD: Code.FailedPrecondition,
  PAYMENT_ALREADY_HELD: Code.FailedPrecondition,
  PAYMENT_NOT_CAPTURED: Code.FailedPrecondition,
  PAYMENT_ALREADY_CAPTURED: Code.FailedPrecondition,
  PAYMENT_ALREADY_CANCELLED: Code.FailedPrecondition,
  PAYMENT_EXPIRED: Code.FailedPrecondition,
  PAYMENT_REJECTED: Code.FailedPrecondition,
  PAYMENT_IS_REFUND: Code.FailedPrecondition,
  PAYMENT_ALREADY_RETRIED: Code.FailedPrecondition,
  CAPTURE_EXCEEDS_HOLD: Code.FailedPrecondition,
  CAPTURE_WOULD_RELEASE: Code.FailedPrecondition,
  CAPTURE_DECLINED: Code.FailedPrecondition,
  REFUND_EXCEEDS_CAPTURED: Code.FailedPrecondition,
  PAYMENT_DECLINED: Code.FailedPrecondition,
  BATCH_NOT_APPLIED: Code.FailedPrecondition,
  INTERNAL: Code.Internal,
} as const satisfies Record<ErrorReason, Code>;

/** The statuses of HTTP that a reason is told with besides its code's own. */
export const OTHER_HTTP_STATUSES: Partial<Record<ErrorReason, readonly number[]>> = {
  MALFORMED_REQUEST: [415],
  DEADLINE_EXCEEDED: [408],
  UNIMPLEMENTED: [404, 405],
};
