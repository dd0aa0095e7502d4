import type { Client } from "@connectrpc/connect";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Scope } from "../../src/kernel/principal.ts";
import {
  type ApiKey as WireApiKey,
  type ApiKeyService,
  CreateApiKeyRequestSchema,
  ListApiKeysRequestSchema,
  RotateApiKeyRequestSchema,
} from "../../gen/instantpayment/v1/api_key_service_pb.ts";
import { invalidInput } from "./error.ts";
import { type MembersOf, onlyKnown } from "./members.ts";
import { createPaged, type Page, PAGE_OPTIONS, type Paged, type PageOptions } from "./paging.ts";
import { CALL_OPTIONS, type CallOptions, type MakeCall } from "./retry.ts";
import { dateOf, requestOf, timestampOf } from "./wire.ts";

/** A key that callers authenticate with, without its secret. */
export interface ApiKey {
  readonly id: string;
  /** Whose accounts and idempotency keys it works with. */
  readonly ownerId: string;
  /** What it allows: a `Scope`, or one that only a newer service knows. */
  readonly scopes: readonly string[];
  readonly displayName: string;
  readonly createTime: Date;
  /** When it got its present secret. */
  readonly rotateTime: Date;
  readonly expireTime: Date | undefined;
  /** Until when the secret before the last rotation works. */
  readonly previousSecretExpireTime: Date | undefined;
  readonly revokeTime: Date | undefined;
  /** To about a minute. */
  readonly lastUseTime: Date | undefined;
}

/** A key with what its callers send. */
export interface ApiKeyWithSecret extends ApiKey {
  /** It's told only once: keep it where secrets are kept. */
  readonly secret: string;
}

/** A key to make. */
export interface NewApiKey {
  readonly ownerId: string;
  /** At least one; `admin` includes all others. */
  readonly scopes: readonly Scope[];
  readonly displayName?: string;
  readonly expireTime?: Date;
}

/** Which keys to list. */
export interface ApiKeyFilter extends PageOptions, CallOptions {
  readonly ownerId?: string;
}

/** What rotateApiKey takes. */
export interface RotateOptions extends CallOptions {
  /** How long the old secret goes on working, in milliseconds: 24 hours if absent, at most 30 days. */
  readonly gracePeriodMs?: number;
}

const NEW_API_KEY: MembersOf<NewApiKey> = {
  ownerId: true,
  scopes: true,
  displayName: true,
  expireTime: true,
};
const API_KEY_FILTER: MembersOf<ApiKeyFilter> = { ...PAGE_OPTIONS, ownerId: true };

/** The members of RotateOptions. */
export const ROTATE_OPTIONS: MembersOf<RotateOptions> = { ...CALL_OPTIONS, gracePeriodMs: true };

/** The methods for API keys. For administrators. */
export interface ApiKeyMethods {
  /** Makes a key. It's sent once only: if `outcomeUnknown`, look for it and revoke it. */
  createApiKey(key: NewApiKey, options?: CallOptions): Promise<ApiKeyWithSecret>;
  /** Lists keys, the oldest first, and fetches further pages while it's read. */
  listApiKeys(filter?: ApiKeyFilter): Paged<ApiKey>;
  /** Gives a key a new secret. Sent once only. Throws API_KEY_NOT_FOUND, API_KEY_ENDED. */
  rotateApiKey(apiKeyId: string, options?: RotateOptions): Promise<ApiKeyWithSecret>;
  /** Ends a key for good, everywhere within two seconds. Throws API_KEY_NOT_FOUND. */
  revokeApiKey(apiKeyId: string, options?: CallOptions): Promise<ApiKey>;
}

/** Makes the methods for API keys on top of the generated client. */
export function createApiKeyMethods(deps: {
  readonly rpc: Client<typeof ApiKeyService>;
  readonly makeCall: MakeCall;
}): ApiKeyMethods {
  const { rpc, makeCall } = deps;
  const once = { writes: true, once: true };
  return {
    async createApiKey(key, options = {}) {
      const { ownerId, displayName } = onlyKnown(key, NEW_API_KEY, "key");
      const expireTime = timestampOf(key.expireTime, "expireTime");
      const scopes = [...key.scopes];
      const request = requestOf(CreateApiKeyRequestSchema, {
        ownerId,
        scopes,
        displayName,
        expireTime,
      });
      const answer = await makeCall(once, options, (attempt) => rpc.createApiKey(request, attempt));
      return { ...apiKeyFromWire(answer.apiKey!), secret: answer.secret };
    },

    listApiKeys(filter = {}) {
      const { ownerId, pageSize } = onlyKnown(filter, API_KEY_FILTER, "filter");
      const request = requestOf(ListApiKeysRequestSchema, { ownerId, pageSize });
      return createPaged<ApiKey, Page<ApiKey>>(filter, async (pageToken, options) => {
        const { apiKeys, nextPageToken } = await makeCall({ writes: false }, options, (attempt) =>
          rpc.listApiKeys({ ...request, pageToken }, attempt),
        );
        return { items: apiKeys.map((key) => apiKeyFromWire(key)), nextPageToken };
      });
    },

    async rotateApiKey(apiKeyId, given = {}) {
      const { gracePeriodMs, ...options } = onlyKnown(given, ROTATE_OPTIONS, "options");
      if (gracePeriodMs !== undefined && !Number.isSafeInteger(gracePeriodMs)) {
        throw invalidInput("gracePeriodMs", "must be a whole number");
      }
      const gracePeriod = gracePeriodMs === undefined ? undefined : durationFromMs(gracePeriodMs);
      const request = requestOf(RotateApiKeyRequestSchema, { apiKeyId, gracePeriod });
      const answer = await makeCall(once, options, (attempt) => rpc.rotateApiKey(request, attempt));
      return { ...apiKeyFromWire(answer.apiKey!), secret: answer.secret };
    },

    async revokeApiKey(apiKeyId, options = {}) {
      const answer = await makeCall({ writes: true }, options, (attempt) =>
        rpc.revokeApiKey({ apiKeyId }, attempt),
      );
      return apiKeyFromWire(answer.apiKey!);
    },
  };
}

function apiKeyFromWire(key: WireApiKey): ApiKey {
  const { expireTime, previousSecretExpireTime, revokeTime, lastUseTime } = key;
  return {
    id: key.id,
    ownerId: key.ownerId,
    scopes: [...key.scopes],
    displayName: key.displayName,
    createTime: dateOf(key.createTime),
    rotateTime: dateOf(key.rotateTime),
    expireTime: expireTime && dateOf(expireTime),
    previousSecretExpireTime: previousSecretExpireTime && dateOf(previousSecretExpireTime),
    revokeTime: revokeTime && dateOf(revokeTime),
    lastUseTime: lastUseTime && dateOf(lastUseTime),
  };
}
