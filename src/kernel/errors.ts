/**
 * The catalogue of everything a call can be refused for. A key is the `reason` that clients branch
 * on; `cause` and `fix` are for people and for the README's table. How a reason is told over the
 * wire is decided in one place, `rpc/error-mapping.ts`.
 */
export const ERROR_CATALOGUE = {
  INVALID_FIELD: {
    cause: "A field of the request is missing, malformed or out of range.",
    fix: "Correct the field that the error names.",
  },
  MALFORMED_REQUEST: {
    cause:
      "Wrong content type, or no valid message: bad JSON or Protobuf, unknown or repeated member.",
    fix: "Send it as the API reference describes it, JSON with `content-type: application/json`.",
  },
  INVALID_PAGE_TOKEN: {
    cause: "The page token wasn't made by this service for this query.",
    fix: "Send `next_page_token` as it came, with the rest of the request unchanged.",
  },
  EXPIRE_TIME_PASSED: {
    cause: "`expire_time` is in the past on a first request.",
    fix: "Send a moment in the future, or none.",
  },
  MISSING_CREDENTIALS: {
    cause: "The call has no key, or one that is unknown, revoked or expired.",
    fix: "Send `Authorization: Bearer <key>` with a valid key.",
  },
  MISSING_SCOPE: {
    cause: "The key is valid but may not do this.",
    fix: "Use a key with the scope that the error names.",
  },
  ACCOUNT_NOT_FOUND: {
    cause: "There is no such account, or it isn't the caller's.",
    fix: "Check the account id and whose key is used.",
  },
  PAYMENT_NOT_FOUND: {
    cause: "There is no such payment, or neither of its accounts is the caller's.",
    fix: "Check the payment id and whose key is used.",
  },
  API_KEY_NOT_FOUND: {
    cause: "There is no API key of this id.",
    fix: "Check the id with ListApiKeys.",
  },
  WEBHOOK_ENDPOINT_NOT_FOUND: {
    cause: "There is no such webhook endpoint, or it isn't the caller's.",
    fix: "Check the id with ListWebhookEndpoints, and whose key is used.",
  },
  WEBHOOK_DELIVERY_NOT_FOUND: {
    cause: "There is no such delivery (any more), or its endpoint isn't the caller's.",
    fix: "Check the id with ListWebhookDeliveries, and whose key is used.",
  },
  SERVICE_UNKNOWN: {
    cause: "The health check names a service that this instance doesn't have.",
    fix: "Ask for one of the services that `grpc.health.v1.Health/List` returns, or for all.",
  },
  IDEMPOTENCY_KEY_REUSED: {
    cause:
      "The idempotency key was used for another request; the error names a field that differs.",
    fix: "Make a new key for a new payment; repeat a payment with exactly the same request.",
  },
  ACCOUNT_ID_TAKEN: {
    cause: "The account id is in use with another owner or currency.",
    fix: "Make a new id.",
  },
  ACCOUNT_VERSION_MISMATCH: {
    cause: "The account changed since the version that the caller gave.",
    fix: "Read the account again and decide anew.",
  },
  ACCOUNT_STATE_FORBIDS: {
    cause: "The account's status, balance or holds don't allow the change.",
    fix: "See the error's message: a closed account stays closed; closing needs a zero balance.",
  },
  API_KEY_ENDED: {
    cause: "The API key was revoked or has expired, which can't be undone.",
    fix: "Make a new key.",
  },
  WEBHOOK_ENDPOINT_LIMIT: {
    cause: "The owner has 20 webhook endpoints, which is the most.",
    fix: "Remove one with DeleteWebhookEndpoint.",
  },
  WEBHOOK_ENDPOINT_DISABLED: {
    cause: "The delivery's endpoint is disabled.",
    fix: "Enable it with UpdateWebhookEndpoint, which sends all that waits.",
  },
  PAYMENT_NOT_HELD: {
    cause: "The payment is pending: nothing is held that could be captured.",
    fix: "Wait until it's held.",
  },
  PAYMENT_ALREADY_HELD: {
    cause: "The payment's funds are held, so there is nothing to try again.",
    fix: "Capture or cancel it.",
  },
  PAYMENT_NOT_CAPTURED: {
    cause: "Nothing of the payment was captured, so there is nothing to refund.",
    fix: "Cancel it, if it's still open.",
  },
  PAYMENT_ALREADY_CAPTURED: {
    cause: "The payment is settled; nothing of it is held any more.",
    fix: "Read the payment; to give money back, refund it.",
  },
  PAYMENT_ALREADY_CANCELLED: {
    cause: "The payment was cancelled.",
    fix: "Make a new payment.",
  },
  PAYMENT_EXPIRED: {
    cause: "The payment's `expire_time` has passed.",
    fix: "Make a new payment.",
  },
  PAYMENT_REJECTED: {
    cause: "The payment was rejected; no money moved.",
    fix: "Mend the payment's reason and call RetryPayment, or make a new payment.",
  },
  PAYMENT_IS_REFUND: {
    cause: "The payment is a refund, which can't be refunded or tried again.",
    fix: "Make a new payment, or refund the original payment once more.",
  },
  PAYMENT_ALREADY_RETRIED: {
    cause: "The payment was tried again already, by the payment in the error's metadata.",
    fix: "Look at that payment; if it was rejected too, try that one again.",
  },
  CAPTURE_EXCEEDS_HOLD: {
    cause: "More is to be captured than is held; the error's metadata tells how much is.",
    fix: "Capture less, or leave the amount out for all that is held.",
  },
  CAPTURE_WOULD_RELEASE: {
    cause: "A part is to be captured and the rest released, which is up to the creditor's side.",
    fix: "Capture all that is held, or a part with `final` false.",
  },
  CAPTURE_DECLINED: {
    cause: "An account doesn't take part in payments now, the error's metadata has its reason.",
    fix: "Capture again when it does, or cancel; until `expire_time` the payment stays held.",
  },
  REFUND_EXCEEDS_CAPTURED: {
    cause: "Refunds would exceed what was captured; the error's metadata tells how much is left.",
    fix: "Refund less, or leave the amount out for all that is left.",
  },
  PAYMENT_DECLINED: {
    cause: "A payment of an atomic batch would be declined, so nothing of the batch was written.",
    fix: "See the reason in the error's metadata; leave the payment out or mend its cause.",
  },
  BATCH_NOT_APPLIED: {
    cause: "Another payment of the same atomic batch would be declined.",
    fix: "Mend the payment of the batch that carries the reason and send the batch again.",
  },
  DEADLINE_EXCEEDED: {
    cause: "The caller's time ran out. What became of a payment is open until the key is asked.",
    fix: "Send the same request with the same idempotency key again.",
  },
  CANCELLED: {
    cause: "The caller hung up.",
    fix: "Send the same request with the same idempotency key again.",
  },
  REQUEST_TOO_LARGE: {
    cause: "The body is larger than its limit: 64 KiB, batches 4 MiB.",
    fix: "Send less in one request: sent again as it is, it's refused again.",
  },
  OVERLOADED: {
    cause: "Too many payments wait on this instance, or too many calls or streams are open on it.",
    fix: "Wait as long as RetryInfo says and send the same request again.",
  },
  UNAVAILABLE: {
    cause: "The database can't be reached, or the instance is shutting down.",
    fix: "Wait as long as RetryInfo says and send the same request again.",
  },
  STREAM_TOO_SLOW: {
    cause: "The caller has left a message of the stream unread for ten seconds.",
    fix: "Read faster, and watch again with the last `sequence` that came: nothing is lost.",
  },
  STREAM_INTERRUPTED: {
    cause: "The stream has lasted for an hour, or the instance is shutting down.",
    fix: "Watch again, on any instance, with the last `sequence` that came: nothing is lost.",
  },
  UNIMPLEMENTED: {
    cause:
      "Nothing is at this path, it takes another verb, or only instances of another role have it.",
    fix: "Check the path and the service's version; call an instance of the role that is named.",
  },
  INTERNAL: {
    cause: "A fault of the service. The log has it under the answer's request id.",
    fix: "Send the same request again; if it stays, report the request id.",
  },
} as const satisfies Record<string, { cause: string; fix: string }>;

/** One reason of the catalogue. */
export type ErrorReason = keyof typeof ERROR_CATALOGUE;

/** A field that is wrong, by its name in the proto (`amount.amount_minor`), and how. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** What a ServiceError may carry besides its reason. */
export interface ServiceErrorOptions extends ErrorOptions {
  /** A sentence for people; the catalogue's cause if absent. It is sent to the caller. */
  readonly message?: string;
  readonly violations?: readonly FieldViolation[];
  /** Sending the same request again after this many milliseconds may help. */
  readonly retryAfterMs?: number;
  /** Names and values that help the caller, for example the field that differs. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A refused call. `cause` is logged and never sent. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  readonly reason: ErrorReason;
  readonly violations: readonly FieldViolation[];
  readonly retryAfterMs: number | undefined;
  readonly metadata: Readonly<Record<string, string>>;

  constructor(reason: ErrorReason, options: ServiceErrorOptions = {}) {
    super(options.message ?? ERROR_CATALOGUE[reason].cause, { cause: options.cause });
    this.reason = reason;
    this.violations = options.violations ?? [];
    this.retryAfterMs = options.retryAfterMs;
    this.metadata = options.metadata ?? {};
  }
}

/** The error for one wrong field of a request. */
export function invalidField(field: string, description: string): ServiceError {
  return new ServiceError("INVALID_FIELD", {
    message: `${field}: ${description}`,
    violations: [{ field, description }],
  });
}
