import { randomBytes } from "node:crypto";

const SECRET_BYTES = 32;

/** A new secret to sign with. */
export function newWebhookSecret(): Buffer {
  return randomBytes(SECRET_BYTES);
}

/** The secret as its owner is told it, in the form of the Standard Webhooks specification. */
export function toSecretText(secret: Uint8Array): string {
  return `whsec_${Buffer.from(secret).toString("base64")}`;
}
