import { fitsBalance } from "../kernel/money.ts";

/** Whether an account takes part in payments. CLOSED is final. */
export type AccountStatus = "OPEN" | "FROZEN" | "CLOSED";

/** How far an account may go below zero: not at all, to its limit, as far as it takes. */
export type OverdraftMode = "NONE" | "LIMITED" | "UNBOUNDED";

/** What the rules need to know of an account. Amounts are minor units of `currencyCode`. */
export interface AccountState {
  readonly id: string;
  readonly ownerId: string;
  readonly currencyCode: string;
  readonly postedMinor: bigint;
  readonly heldMinor: bigint;
  readonly overdraftMode: OverdraftMode;
  readonly overdraftLimitMinor: bigint;
  readonly status: AccountStatus;
  readonly version: number;
  readonly entrySequence: number;
  /** When it last changed; no later entry may carry an earlier time. */
  readonly updateTime: Date;
}

/** What the account can pay: posted - held + overdraft limit. May be below zero if unbounded. */
export function availableMinor(
  account: Pick<AccountState, "postedMinor" | "heldMinor" | "overdraftLimitMinor">,
): bigint {
  return account.postedMinor - account.heldMinor + account.overdraftLimitMinor;
}

/** True if the account may pay the amount without going below its limit. */
export function canPay(account: AccountState, amountMinor: bigint): boolean {
  return account.overdraftMode === "UNBOUNDED" || availableMinor(account) >= amountMinor;
}

/** True if the account stays at or above its limit as it stands. */
export function isWithinLimit(account: AccountState): boolean {
  return canPay(account, 0n);
}

/**
 * True if adding the amount (negative to take) keeps posted and available in PostgreSQL's bigint,
 * now and when what is held has been released.
 */
export function staysInRange(account: AccountState, amountMinor: bigint): boolean {
  const posted = account.postedMinor + amountMinor;
  return (
    fitsBalance(posted) &&
    fitsBalance(posted - account.heldMinor) &&
    fitsBalance(posted + account.overdraftLimitMinor)
  );
}

/** Why an account can't change to this status; undefined if it can. The same status is no change. */
export function statusChangeRefusal(account: AccountState, to: AccountStatus): string | undefined {
  if (account.status === to) return undefined;
  if (account.status === "CLOSED") return "A closed account stays closed.";
  if (to !== "CLOSED") return undefined;
  if (account.postedMinor !== 0n) return "Closing needs a zero balance.";
  if (account.heldMinor !== 0n) return "Closing needs that no funds are held.";
  return undefined;
}
