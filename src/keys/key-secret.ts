import { hash, randomBytes } from "node:crypto";

const SECRET_BYTES = 32;

/** The text that a caller sends, `ipk_<id>_<secret>`, in its parts. */
export interface SentKey {
  /** The key's id, a UUID. */
  readonly id: string;
  /** SHA-256 of the secret. */
  readonly digest: Buffer;
}

/** A new secret for the key of an id: the text that the caller is to send, and its digest. */
export function newSecret(id: string): { readonly text: string; readonly digest: Buffer } {
  const secret = randomBytes(SECRET_BYTES).toString("base64url");
  return { text: `ipk_${id.replaceAll("-", "")}_${secret}`, digest: digestOf(secret) };
}

/** The parts of what a caller sent; undefined if it doesn't have the form of a key. */
export function parseKey(text: string): SentKey | undefined {
  const [, hex, secret] = /^ipk_([0-9a-f]{32})_([\w-]{43})$/.exec(text) ?? [];
  if (hex === undefined || secret === undefined) return undefined;
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  return { id, digest: digestOf(secret) };
}

function digestOf(secret: string): Buffer {
  return hash("sha256", secret, "buffer");
}
