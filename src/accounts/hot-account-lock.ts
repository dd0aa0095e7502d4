import { randomUUID } from "node:crypto";
import type { Clock } from "../kernel/clock.ts";
import type { AccountLock, HeldLock } from "../ledger/account-lock.ts";
import type { Logger } from "../platform/logger.ts";
import { openRedis } from "../platform/redis.ts";
import { ACQUIRE, RELEASE, RENEW, wakeChannel } from "./hot-account-scripts.ts";

/** The lock that all processes with the same Redis share. */
export interface HotAccountLock extends AccountLock {
  /** Why payments go on without it at the moment; undefined as long as it works. */
  readonly degraded: string | undefined;
  close(): void;
}

/** What the lock needs. */
export interface HotAccountLockDeps {
  readonly redisUrl: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of every turn that was asked for. */
  readonly observe?: (turn: LockTurn) => void;
  /** Told of every lock that was gone before it was given back. */
  readonly onLost?: () => void;
}

/** How a turn came about, and how long that took. */
export interface LockTurn {
  /** Had at once, or from another; or not at all, since it took too long or Redis doesn't work. */
  readonly outcome: "free" | "handed over" | "timed out" | "degraded";
  readonly seconds: number;
}

/** A lock ends by itself after this, in milliseconds, if its holder doesn't renew it. */
export const LOCK_MS = 1_000;
/**
 * A lock is given back after this at the latest, in milliseconds: its holder may be cut off from
 * PostgreSQL, and not from Redis.
 */
const MAX_HOLD_MS = 3 * LOCK_MS;
/** The longest wait for a turn, in milliseconds: longer than a lock whose holder has vanished. */
const MAX_WAIT_MS = 1_500;

/**
 * A fair queue for each account in Redis. Whoever gives a lock back hands it to the next in the
 * queue, in the same step, and wakes it. Nobody polls: a timer asks again only when the holder's
 * lock must have ended without a hand-over.
 *
 * It may be lost, expire or be flushed at any time. Then transactions meet in PostgreSQL, which is
 * slower and just as right.
 */
export function createHotAccountLock(deps: HotAccountLockDeps): HotAccountLock {
  const { clock } = deps;
  const processId = randomUUID();
  const wakers = new Map<string, () => void>();
  let turns = 0;

  const redis = openRedis({
    ...deps,
    url: deps.redisUrl,
    channel: wakeChannel(processId),
    onMessage(message) {
      const [token = "", lock] = message.split(" ");
      const wake = wakers.get(token);
      if (wake) wake();
      // A turn that was given up while Redis couldn't be told.
      else if (lock !== undefined) release([lock, queueOf(lock)], token);
    },
    onDegraded: () => wakers.forEach((wake) => wake()),
  });

  async function acquire(accountIds: readonly string[]): Promise<HeldLock> {
    const startMs = clock.monotonicMs();
    const waits = new Map<string, number>();
    const observe = (outcome: LockTurn["outcome"]) =>
      deps.observe?.({ outcome, seconds: (clock.monotonicMs() - startMs) / 1000 });
    if (redis.degraded !== undefined) {
      observe("degraded");
      return { waits, release: () => undefined };
    }
    const token = `${processId}:${turns++}`;
    const keys = accountIds.map(lockOf).flatMap((lock) => [lock, queueOf(lock)]);
    const isHeld = await waitForTurn(accountIds, { token, keys, waits, startMs }).catch(
      () => false,
    );
    wakers.delete(token);
    if (isHeld) {
      observe(waits.size === 0 ? "free" : "handed over");
      return { waits, release: hold(keys, token) };
    }
    release(keys, token);
    observe(redis.degraded === undefined ? "timed out" : "degraded");
    return { waits, release: () => undefined };
  }

  /** True once all locks are had. Throws what Redis throws. */
  async function waitForTurn(accountIds: readonly string[], turn: Turn): Promise<boolean> {
    for (;;) {
      // Before Redis is asked: the message may come with the answer.
      const { promise: woken, resolve: wake } = Promise.withResolvers<boolean>();
      wakers.set(turn.token, () => wake(true));
      const [number, lockMs] = (await run(ACQUIRE, turn.keys, turn.token)) as [number, number];
      if (number === 0) return true;
      const sinceMs = clock.monotonicMs();
      const leftMs = turn.startMs + MAX_WAIT_MS - sinceMs;
      const againMs = Math.max(1, Math.min(lockMs + 10, leftMs));
      const timer = setTimeout(() => wake(false), againMs);
      const isWoken = await woken;
      clearTimeout(timer);
      const nowMs = clock.monotonicMs();
      const accountId = accountIds[number - 1]!;
      turn.waits.set(accountId, (turn.waits.get(accountId) ?? 0) + nowMs - sinceMs);
      if (redis.degraded !== undefined || nowMs >= turn.startMs + MAX_WAIT_MS) return false;
      if (isWoken && accountIds.length === 1) return true;
    }
  }

  /** Keeps the locks until the function that is returned is called, but not for ever. */
  function hold(keys: readonly string[], token: string): () => void {
    let isHeld = true;
    const limit = setTimeout(giveBack, MAX_HOLD_MS);
    const renewal = setInterval(() => {
      run(RENEW, keys, token).catch(() => clearInterval(renewal));
    }, LOCK_MS / 3);
    function giveBack(): void {
      if (!isHeld) return;
      isHeld = false;
      clearTimeout(limit);
      clearInterval(renewal);
      release(keys, token, deps.onLost);
    }
    return giveBack;
  }

  /** Nobody waits for it: what Redis doesn't hear of ends by itself. */
  function release(keys: readonly string[], token: string, onLost?: () => void): void {
    void countHeld(keys, token).then((held) => {
      for (let lost = keys.length / 2 - held; lost > 0; lost--) onLost?.();
      return undefined;
    });
  }

  /** Gives back what the turn has and returns how much that was; all, if Redis doesn't say. */
  function countHeld(keys: readonly string[], token: string): Promise<number> {
    return run(RELEASE, keys, token).then(Number, () => keys.length / 2);
  }

  function run(script: string, keys: readonly string[], token: string): Promise<unknown> {
    return redis.run(script, keys, [token, LOCK_MS]);
  }

  return {
    acquire,
    get degraded() {
      return redis.degraded;
    },
    close: () => redis.close(),
  };
}

interface Turn {
  readonly token: string;
  readonly keys: readonly string[];
  /** Gets the time that was waited for each account, in milliseconds. */
  readonly waits: Map<string, number>;
  readonly startMs: number;
}

function lockOf(accountId: string): string {
  return `lock:account:${accountId}`;
}

function queueOf(lock: string): string {
  return `${lock}:queue`;
}
