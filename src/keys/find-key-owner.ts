import { timingSafeEqual } from "node:crypto";
import type { Principal, Scope } from "../kernel/principal.ts";
import { inTurns } from "../kernel/turns.ts";
import type { Identify } from "../platform/authenticate.ts";
import type { Database } from "../platform/database.ts";
import type { Logger } from "../platform/logger.ts";
import { parseKey } from "./key-secret.ts";

/** Finds whose key a caller sent. */
export interface FindKeyOwner {
  /** Undefined for what is no key or one that doesn't work (any more). Throws if PostgreSQL does. */
  readonly identify: Identify;
  /** Resolves once what was noted of the keys' use is written. */
  readonly close: () => Promise<void>;
}

interface FoundKey {
  readonly id: string;
  readonly owner_id: string;
  readonly scopes: Scope[];
  readonly secret_digest: Buffer;
  /** Null if the secret before the last rotation doesn't work any more. */
  readonly previous_digest: Buffer | null;
  /** For how long each works yet, in milliseconds; null: for ever. */
  readonly left_ms: number | null;
  readonly previous_left_ms: number | null;
  readonly is_use_noted: boolean;
}

// PostgreSQL's clock decides what has expired, as it does for payments.
const FIND = {
  name: "keys-find",
  text: `select id, owner_id, scopes, secret_digest,
      case when previous_expire_time > now() then previous_digest end as previous_digest,
      (extract(epoch from expire_time - now()) * 1000)::float8 as left_ms,
      (extract(epoch from least(expire_time, previous_expire_time) - now()) * 1000)::float8
        as previous_left_ms,
      coalesce(last_use_time > now() - interval '1 minute', false) as is_use_noted
    from api_key where id = any($1::uuid[]) and revoke_time is null
      and (expire_time is null or expire_time > now())`,
};

// Several instances note at the same time: whoever finds a row locked leaves it to the other.
const NOTE_USE = {
  name: "keys-note-use",
  text: `update api_key set last_use_time = now() where id in (
    select id from api_key where id = any($1::uuid[])
      and coalesce(last_use_time < now() - interval '1 minute', true)
    for no key update skip locked)`,
};

/**
 * Finds keys with one query at a time: who asks while it runs waits for the next one, so however
 * many calls come with keys of all kinds, they cost one connection. The ledger's connections are
 * used, since slow reads mustn't keep payments from being let in. The use of a key is noted in the
 * background, once a minute.
 */
export function createFindKeyOwner(deps: {
  readonly database: Database;
  readonly logger: Logger;
}): FindKeyOwner {
  const { commitPool } = deps.database;

  const find = inTurns<FoundKey>(async (ids) => {
    const { rows } = await commitPool.query<FoundKey>({ ...FIND, values: [ids] });
    return new Map(rows.map((row) => [row.id, row]));
  });
  const noteUse = inTurns<unknown>(async (ids) => {
    await commitPool.query({ ...NOTE_USE, values: [ids] });
    return new Map();
  });
  let noted: Promise<unknown> = Promise.resolve();

  return {
    async identify(sent) {
      const key = parseKey(sent);
      if (key === undefined) return undefined;
      const found = await find(key.id);
      const isCurrent = isEqual(key.digest, found?.secret_digest);
      const isPrevious = isEqual(key.digest, found?.previous_digest);
      if (found === undefined || !(isCurrent || isPrevious)) return undefined;
      if (!found.is_use_noted) {
        noted = noteUse(key.id).catch((err: unknown) =>
          deps.logger.warn({ err }, "the use of a key wasn't noted"),
        );
      }
      const leftMs = isCurrent ? found.left_ms : found.previous_left_ms;
      return { principal: toPrincipal(found), validMs: leftMs ?? Number.POSITIVE_INFINITY };
    },
    async close() {
      await noted;
    },
  };
}

/** Compares in a time that tells nothing, also of a key that isn't there. */
function isEqual(digest: Buffer, expected: Buffer | null | undefined): boolean {
  const isThere = expected?.length === digest.length;
  return timingSafeEqual(digest, isThere ? expected : Buffer.alloc(digest.length)) && isThere;
}

function toPrincipal({ owner_id: ownerId, scopes }: FoundKey): Principal {
  return { ownerId, scopes: new Set(scopes) };
}
