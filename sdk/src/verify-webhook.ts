import { fromJsonString } from "@bufbuild/protobuf";
import { PaymentEventSchema } from "../../gen/instantpayment/v1/payment_pb.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { InstantPaymentError, invalidInput } from "./error.ts";
import { eventFromWire, type PaymentEvent } from "./event.ts";
import { type MembersOf, onlyKnown } from "./members.ts";

/** The headers of a request: of `fetch`'s kind, or as Node's http has them. */
export type WebhookHeaders =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** What verifyWebhook may be told. */
export interface VerifyWebhookOptions {
  /** The time in milliseconds since 1970, by which a request is too old. Default: now. */
  readonly nowMs?: number;
}

const OPTIONS: MembersOf<VerifyWebhookOptions> = { nowMs: true };

/** How far the time of a request may be from ours, so that an old one can't be sent again. */
const TOLERANCE_SECONDS = 5 * 60;

/**
 * Reads the event of a webhook request if it was signed with the endpoint's secret (one of several
 * while secrets change over), at most 5 minutes ago, by the Standard Webhooks specification. The
 * body has to be as it came, byte by byte: not parsed and written again. A request may come more than
 * once: drop one whose header `webhook-id`, or whose event's `eventId`, you have seen.
 *
 * Throws WEBHOOK_NOT_VERIFIED, which is to be answered with 400; INVALID_FIELD for a body, headers or
 * a secret that are none, which is a mistake of who calls.
 */
export async function verifyWebhook(
  body: string | Uint8Array,
  headers: WebhookHeaders,
  secret: string | readonly string[],
  options: VerifyWebhookOptions = {},
): Promise<PaymentEvent> {
  const { nowMs = systemClock.now() } = onlyKnown(options, OPTIONS, "options");
  const bytes = bytesOfBody(body);
  if (typeof headers !== "object" || headers === null) {
    throw invalidInput("headers", "must be the request's headers");
  }
  const id = headerOf(headers, "webhook-id");
  const timestamp = headerOf(headers, "webhook-timestamp");
  const signatures = headerOf(headers, "webhook-signature");
  if (!/^\d{1,15}$/.test(timestamp)) throw notVerified("webhook-timestamp isn't a time");
  if (Math.abs(Number(timestamp) - nowMs / 1_000) > TOLERANCE_SECONDS) {
    throw notVerified("webhook-timestamp is more than 5 minutes from now");
  }
  const prefix = new TextEncoder().encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array([...prefix, ...bytes]);
  const secrets = [secret].flat();
  if (!(await isSigned(signed, signatures, secrets))) {
    throw notVerified("webhook-signature doesn't fit: another secret, or the body was changed");
  }
  return readEvent(new TextDecoder().decode(bytes));
}

/** Frameworks parse bodies unless they're told not to, and what was parsed can't be verified. */
function bytesOfBody(body: string | Uint8Array): Uint8Array {
  if (typeof body === "string") return new TextEncoder().encode(body);
  // Not instanceof: a Buffer may be of another realm, as in Jest.
  if (ArrayBuffer.isView(body))
    return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  const given = body === undefined || body === null ? "missing" : "parsed";
  throw invalidInput("body", `is ${given}: give the raw body as it came, a string or bytes`);
}

/** Web Crypto compares in constant time. */
async function isSigned(
  signed: Uint8Array<ArrayBuffer>,
  signatures: string,
  secrets: readonly string[],
): Promise<boolean> {
  const given = signatures
    .split(" ")
    .filter((one) => one.startsWith("v1,"))
    .map((one) => bytesOf(one.slice("v1,".length)));
  for (const secret of secrets) {
    const key = await keyOf(secret);
    for (const signature of given) {
      if (signature && (await crypto.subtle.verify("HMAC", key, signature, signed))) return true;
    }
  }
  return false;
}

async function keyOf(secret: string) {
  const bytes = typeof secret === "string" ? bytesOf(secret.replace(/^whsec_/, "")) : undefined;
  if (!bytes || bytes.length === 0) throw invalidInput("secret", "must be such as whsec_MfKQ9r8G…");
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", bytes, algorithm, false, ["verify"]);
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function headerOf(headers: WebhookHeaders, name: string): string {
  const value =
    typeof headers["get"] === "function"
      ? headers["get"](name)
      : Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  if (typeof value !== "string" || value === "") throw notVerified(`the header ${name} is missing`);
  return value;
}

function readEvent(text: string): PaymentEvent {
  try {
    return eventFromWire(fromJsonString(PaymentEventSchema, text, { ignoreUnknownFields: true }));
  } catch (cause) {
    throw notVerified("the body isn't a PaymentEvent", cause);
  }
}

function notVerified(message: string, cause?: unknown): InstantPaymentError {
  const parts = { reason: "WEBHOOK_NOT_VERIFIED", code: "unauthenticated", cause } as const;
  return new InstantPaymentError(message, parts);
}
