/**
 * How long to wait before the next attempt, in milliseconds: twice as long after each failure, from
 * `firstMs` to `mostMs`, of which a random half is left out so that not all come back at once.
 */
export function backoffMs(failures: number, firstMs: number, mostMs: number): number {
  const limit = Math.min(mostMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return limit * (0.5 + Math.random() / 2);
}
