/** PostgreSQL's time comes in whole milliseconds: below this a wait may be nothing but rounding. */
const LEAST_MS = 2;

/**
 * How long the ledger waited for the lock of each account, in milliseconds, from the rows of
 * `BatchSql.loadAccounts`: they are locked one after the other, and each tells when it was. Those
 * that were free are left out.
 */
export function lockWaits(rows: readonly unknown[][]): Map<string, number> {
  const waits = new Map<string, number>();
  let sinceMs = Number(rows[0]?.at(-1));
  for (const [lockedMs, accountId] of rows) {
    const ms = Number(lockedMs) - sinceMs;
    sinceMs = Number(lockedMs);
    if (ms >= LEAST_MS && accountId !== null) waits.set(accountId as string, ms);
  }
  return waits;
}
