import { hash, timingSafeEqual } from "node:crypto";
import type { Clock } from "../kernel/clock.ts";
import type { Principal } from "../kernel/principal.ts";

/** Who works with the administrator's key, and in whose name commands and the demo work. */
export function administrator(): Principal {
  return { ownerId: "admin", scopes: new Set(["admin"]) };
}

/** Who a key stands for. */
export interface Identified {
  readonly principal: Principal;
  /** For how long it does so at most, in milliseconds; a caller is asked anew much sooner. */
  readonly validMs: number;
}

/** Finds who sends a key; undefined if nobody is known by it. Throws if that can't be found out. */
export type Identify = (key: string) => Promise<Identified | undefined>;

/** How long an answer counts, in milliseconds: so long does a revoked key work at most. */
const FRESH_MS = 1_000;
/** After this it's asked for again while it still counts, so that no call has to wait for it. */
const REFRESH_MS = 500;
/** A thousand callers at once are many. */
const MAX_CACHED = 10_000;

interface Cached {
  readonly principal: Principal;
  /** On the monotonic clock. */
  readonly freshUntilMs: number;
  refreshAtMs: number;
}

/**
 * Finds who calls by `Authorization: Bearer <key>`: the first of `identify` that knows the key.
 * Undefined for everybody else.
 *
 * An answer is kept under the header's digest for a second, counted from before it was asked for,
 * so nothing secret is compared here and a key that was revoked works no longer than that.
 */
export function createAuthenticate(deps: {
  readonly identify: readonly Identify[];
  readonly clock: Clock;
}): (authorization: string | undefined) => Promise<Principal | undefined> {
  const { clock } = deps;
  const cache = new Map<string, Cached>();

  async function find(digest: string, authorization: string): Promise<Principal | undefined> {
    const startMs = clock.monotonicMs();
    const found = await identify(deps.identify, authorization);
    cache.delete(digest);
    if (found === undefined) return undefined;
    const { principal, validMs } = found;
    if (cache.size >= MAX_CACHED) cache.delete(cache.keys().next().value!);
    cache.set(digest, {
      principal,
      freshUntilMs: startMs + Math.min(validMs, FRESH_MS),
      refreshAtMs: startMs + REFRESH_MS,
    });
    return principal;
  }

  return async (authorization) => {
    if (authorization === undefined) return undefined;
    const digest = hash("sha256", authorization, "base64");
    const cached = cache.get(digest);
    const nowMs = clock.monotonicMs();
    if (cached === undefined || nowMs >= cached.freshUntilMs) return find(digest, authorization);
    if (nowMs >= cached.refreshAtMs) {
      cached.refreshAtMs = cached.freshUntilMs;
      // If it fails, the call after that is told.
      find(digest, authorization).catch(() => undefined);
    }
    return cached.principal;
  };
}

async function identify(
  ways: readonly Identify[],
  authorization: string,
): Promise<Identified | undefined> {
  const key = /^Bearer +([!-~]+)$/i.exec(authorization)?.[1];
  if (key === undefined) return undefined;
  for (const way of ways) {
    const found = await way(key);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Takes everybody for the administrator. */
export async function letAnybodyIn(): Promise<Principal> {
  return administrator();
}

/** Knows the administrator's key, which is compared in a time that tells nothing of it. */
export function identifyAdmin(adminKey: string): Identify {
  const expected = digestOf(adminKey);
  return async (key) =>
    timingSafeEqual(digestOf(key), expected)
      ? { principal: administrator(), validMs: Number.POSITIVE_INFINITY }
      : undefined;
}

function digestOf(key: string): Buffer {
  return hash("sha256", key, "buffer");
}
