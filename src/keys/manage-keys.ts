import { LockMode, type MikroORM } from "@mikro-orm/postgresql";
import type { Call } from "../kernel/call.ts";
import type { DatabaseClock } from "../kernel/clock.ts";
import { invalidField, ServiceError } from "../kernel/errors.ts";
import { uuidv7 } from "../kernel/ids.ts";
import { cutPage, decodePageToken, pageLimit } from "../kernel/page.ts";
import { assertAdmin, type Scope } from "../kernel/principal.ts";
import type { UnitOfWork } from "../platform/unit-of-work.ts";
import { ApiKeyEntity, type ApiKeyRow } from "./api-key.entity.ts";
import { newSecret } from "./key-secret.ts";

/** What a new key is to be. */
export interface NewKey {
  readonly ownerId: string;
  readonly scopes: readonly Scope[];
  readonly displayName: string;
  /** Undefined: it doesn't expire. */
  readonly expireTime: Date | undefined;
}

/** Which keys to list, by id. */
export interface ListKeys {
  /** Undefined: everybody's. */
  readonly ownerId: string | undefined;
  readonly pageSize: number;
  readonly pageToken: string;
}

/** A page of keys; the token is empty on the last one. */
export interface KeyPage {
  readonly keys: ApiKeyRow[];
  readonly nextPageToken: string;
}

/** A key with what its callers send, which can't be told a second time. */
export interface KeyWithSecret {
  readonly key: ApiKeyRow;
  readonly secret: string;
}

/** What administrators do with keys; all of it throws MISSING_SCOPE for others. */
export interface ManageKeys {
  /** Throws INVALID_FIELD for an `expireTime` that isn't in the future. */
  create(call: Call, wanted: NewKey): Promise<KeyWithSecret>;
  /** Throws INVALID_PAGE_TOKEN. */
  list(call: Call, query: ListKeys): Promise<KeyPage>;
  /**
   * Gives the key a new secret; the one before works for `gracePeriodMs` more, any older one ends
   * at once. Throws API_KEY_NOT_FOUND, API_KEY_ENDED.
   */
  rotate(call: Call, keyId: string, gracePeriodMs?: number): Promise<KeyWithSecret>;
  /** Ends the key for good. Throws API_KEY_NOT_FOUND. */
  revoke(call: Call, keyId: string): Promise<ApiKeyRow>;
}

const DEFAULT_GRACE_PERIOD_MS = 24 * 3_600_000;

/** Makes what administrators do with keys; the API and the command line are on top of it. */
export function createManageKeys(deps: {
  readonly orm: MikroORM;
  readonly unitOfWork: UnitOfWork;
  readonly databaseClock: DatabaseClock;
}): ManageKeys {
  const { orm, unitOfWork, databaseClock } = deps;

  /** Changes a key under its row's lock. */
  function change<T>(keyId: string, work: (key: ApiKeyRow, now: Date) => T): Promise<T> {
    return unitOfWork.transaction(async (em) => {
      const lockMode = LockMode.PESSIMISTIC_WRITE;
      const key = await em.findOne(ApiKeyEntity, { id: keyId }, { lockMode });
      if (!key) throw new ServiceError("API_KEY_NOT_FOUND");
      const result = work(key, new Date(databaseClock.now()));
      await em.flush();
      return result;
    });
  }

  return {
    async create({ principal }, { expireTime = null, ...wanted }) {
      assertAdmin(principal);
      const now = new Date(databaseClock.now());
      if (expireTime && expireTime <= now) {
        throw invalidField("expire_time", "must be in the future");
      }
      const id = uuidv7(now.getTime());
      const { text, digest } = newSecret(id);
      const em = orm.em.fork();
      const key = em.create(ApiKeyEntity, {
        ...wanted,
        id,
        scopes: [...wanted.scopes],
        secretDigest: digest,
        previousDigest: null,
        previousExpireTime: null,
        createTime: now,
        rotateTime: now,
        expireTime,
        revokeTime: null,
        lastUseTime: null,
      });
      await em.flush();
      return { key, secret: text };
    },

    async list({ principal }, { ownerId, pageSize, pageToken }) {
      assertAdmin(principal);
      const boundTo = ["ListApiKeys", principal.ownerId, ownerId];
      const [after] = decodePageToken(boundTo, pageToken) ?? [];
      const limit = pageLimit(pageSize);
      const found = await orm.em
        .fork()
        .find(
          ApiKeyEntity,
          { $and: [ownerId ? { ownerId } : {}, after ? { id: { $gt: after } } : {}] },
          { orderBy: { id: "asc" }, limit: limit + 1 },
        );
      const { rows: keys, nextPageToken } = cutPage(found, limit, boundTo, ({ id }) => [id]);
      return { keys, nextPageToken };
    },

    async rotate({ principal }, keyId, gracePeriodMs = DEFAULT_GRACE_PERIOD_MS) {
      assertAdmin(principal);
      return change(keyId, (key, now) => {
        if (key.revokeTime || (key.expireTime && key.expireTime <= now)) {
          throw new ServiceError("API_KEY_ENDED");
        }
        const { text, digest } = newSecret(key.id);
        const overlaps = gracePeriodMs > 0;
        key.previousDigest = overlaps ? key.secretDigest : null;
        key.previousExpireTime = overlaps ? new Date(now.getTime() + gracePeriodMs) : null;
        key.secretDigest = digest;
        key.rotateTime = now;
        return { key, secret: text };
      });
    },

    async revoke({ principal }, keyId) {
      assertAdmin(principal);
      return change(keyId, (key, now) => {
        key.revokeTime ??= now;
        return key;
      });
    },
  };
}
