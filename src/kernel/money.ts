/** The largest amount of one payment and the largest overdraft limit: 2^53 - 1 minor units. */
export const MAX_AMOUNT_MINOR = 9_007_199_254_740_991n;

/** The largest balance that PostgreSQL's bigint holds, in minor units. */
export const MAX_BALANCE_MINOR = 9_223_372_036_854_775_807n;

/** The smallest balance that PostgreSQL's bigint holds, in minor units. */
export const MIN_BALANCE_MINOR = -9_223_372_036_854_775_808n;

/** True if the number fits PostgreSQL's bigint. */
export function fitsBalance(minor: bigint): boolean {
  return minor >= MIN_BALANCE_MINOR && minor <= MAX_BALANCE_MINOR;
}
