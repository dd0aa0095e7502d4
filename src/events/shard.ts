/** All events are of one of these. Never to be changed. */
export const SHARDS = 64;

/** The shard of a payment's events: its id's last byte modulo 64. Never to be changed. */
export function shardOf(paymentId: string): number {
  return Number.parseInt(paymentId.slice(-2), 16) & (SHARDS - 1);
}
