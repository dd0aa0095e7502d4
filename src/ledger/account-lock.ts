/** Where processes that pay the same hot accounts queue, before they open a transaction. */
export interface AccountLock {
  /**
   * Waits for its turn on all of these accounts, given in id order. Never throws, and always ends
   * soon: whoever doesn't get the lock goes on without it. It's a queue; what keeps the money right
   * are the ledger's row locks and versions.
   */
  acquire(accountIds: readonly string[]): Promise<HeldLock>;
}

/** A turn, had or given up. */
export interface HeldLock {
  /** How long was waited for each account that wasn't free, in milliseconds. */
  readonly waits: ReadonlyMap<string, number>;
  /** Wakes the next in the queue; may be called again. */
  readonly release: () => void;
}

const NO_WAIT: HeldLock = { waits: new Map(), release: () => undefined };

/** For a process that is alone: its hot lane is the queue. */
export const processLock: AccountLock = { acquire: () => Promise.resolve(NO_WAIT) };
