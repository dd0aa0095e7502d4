import { ServiceError } from "../kernel/errors.ts";
import type { Principal, Scope } from "../kernel/principal.ts";
import type { Gate } from "./gate.ts";
import type { RpcLimits } from "./limits.ts";

/** A caller's stream, as long as it's open. */
export interface OpenStream {
  readonly principal: Principal;
  /** Aborted with a ServiceError when the stream mustn't go on. */
  readonly signal: AbortSignal;
  readonly close: () => void;
}

/** The streams of callers that are open. */
export interface OpenStreams {
  /** Lets a caller in for as long as its key works. Throws as `Gate.admit`, and OVERLOADED. */
  admit(authorization: string | undefined, scope: Scope): Promise<OpenStream>;
  readonly count: number;
}

/** What open streams are kept with. */
export interface OpenStreamsDeps {
  readonly gate: Gate;
  readonly limits: Pick<RpcLimits, "maxConcurrentStreams" | "maxStreamsPerOwner" | "maxStreamMs">;
}

/** With the second for which an answer counts, a revoked key's streams end within two. */
const RECHECK_MS = 750;

/** Callers with the same key are asked for once. */
interface Key {
  readonly authorization: string | undefined;
  readonly scope: Scope;
  readonly streams: Set<AbortController>;
}

/**
 * Keeps the streams of callers: no more than a limit, of one owner no more than another one, none
 * for longer than a limit, and each only as long as its key is let in. If nobody can find out about
 * a key, its streams end too.
 */
export function createOpenStreams({ gate, limits }: OpenStreamsDeps): OpenStreams {
  const keys = new Map<string, Key>();
  const ofOwners = new Map<string, number>();
  let count = 0;
  let timer: NodeJS.Timeout | undefined;

  async function recheck({ authorization, scope, streams }: Key): Promise<void> {
    try {
      await gate.admit(authorization, scope);
    } catch (error) {
      for (const stream of streams) stream.abort(error);
    }
  }

  async function recheckAll(): Promise<void> {
    await Promise.all([...keys.values()].map(recheck));
    timer = undefined;
    if (keys.size > 0) recheckLater();
  }

  function recheckLater(): void {
    timer ??= setTimeout(() => void recheckAll(), RECHECK_MS).unref();
  }

  function join(authorization: string | undefined, scope: Scope, stream: AbortController): Key {
    const name = `${scope} ${authorization}`;
    const key = keys.get(name) ?? { authorization, scope, streams: new Set() };
    keys.set(name, key);
    key.streams.add(stream);
    recheckLater();
    return key;
  }

  function leave(key: Key, stream: AbortController): void {
    key.streams.delete(stream);
    if (key.streams.size === 0) keys.delete(`${key.scope} ${key.authorization}`);
  }

  /** Counts one more. Throws OVERLOADED if that's too many. */
  function enter(ownerId: string): void {
    const ofOwner = ofOwners.get(ownerId) ?? 0;
    if (count >= limits.maxConcurrentStreams) {
      const message = "too many streams are open on this instance";
      throw new ServiceError("OVERLOADED", { message });
    }
    if (ofOwner >= limits.maxStreamsPerOwner) {
      const message = `the owner has ${ofOwner} streams open on this instance, which is the most`;
      throw new ServiceError("OVERLOADED", { message });
    }
    ofOwners.set(ownerId, ofOwner + 1);
    count++;
  }

  function exit(ownerId: string): void {
    const others = ofOwners.get(ownerId)! - 1;
    if (others > 0) ofOwners.set(ownerId, others);
    else ofOwners.delete(ownerId);
    count--;
  }

  return {
    async admit(authorization, scope) {
      const principal = await gate.admit(authorization, scope);
      enter(principal.ownerId);
      const stream = new AbortController();
      const key = join(authorization, scope, stream);
      // Those that began together don't come back together.
      const lifeMs = limits.maxStreamMs * (1 - Math.random() / 10);
      const end = setTimeout(() => {
        stream.abort(new ServiceError("STREAM_INTERRUPTED"));
      }, lifeMs).unref();
      let isOpen = true;
      return {
        principal,
        signal: stream.signal,
        close() {
          if (!isOpen) return;
          isOpen = false;
          exit(principal.ownerId);
          clearTimeout(end);
          leave(key, stream);
        },
      };
    },
    get count() {
      return count;
    },
  };
}
