import { createHmac } from "node:crypto";

/** What is signed: a delivery's id, the second it's sent in, and its body. */
export interface SignedParts {
  readonly id: string;
  /** Since 1970, by the clock of this machine: receivers compare it with theirs. */
  readonly timestampSeconds: number;
  readonly body: string;
}

/**
 * The three headers of the Standard Webhooks specification. `webhook-signature` holds a signature
 * (v1, HMAC-SHA256) for each secret, separated by spaces: one of them fits is enough.
 */
export function signWebhook(
  { id, timestampSeconds, body }: SignedParts,
  secrets: readonly Uint8Array[],
): Record<string, string> {
  const signed = `${id}.${timestampSeconds}.${body}`;
  const signatures = secrets.map(
    (secret) => `v1,${createHmac("sha256", secret).update(signed).digest("base64")}`,
  );
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestampSeconds),
    "webhook-signature": signatures.join(" "),
  };
}
