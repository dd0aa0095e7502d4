import type { RetryPolicy } from "./payment.ts";

/**
 * The wait after a payment's attempt of a number (1, 2 ...), in milliseconds: exponential backoff,
 * of which up to half is left out. How much is decided by the id's random bits, so that payments
 * that failed together spread, while the same payment always gives the same answer.
 */
export function attemptWaitMs(paymentId: string, attempt: number, policy: RetryPolicy): number {
  const longest = Math.min(policy.maxBackoffMs, policy.initialBackoffMs * 2 ** (attempt - 1));
  return Math.max(1, Math.round(longest * (1 - fraction(`${paymentId} ${attempt}`) / 2)));
}

/** 0 to 1 by the text, evenly: FNV-1a with 32 bits, with its bits mixed once more. */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
