import { durationMs, timestampDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { ApiKeyService } from "../../gen/instantpayment/v1/api_key_service_pb.ts";
import type { Call } from "../kernel/call.ts";
import { isScope } from "../kernel/principal.ts";
import { toApiKeyMessage } from "./api-key.message.ts";
import type { ManageKeys } from "./manage-keys.ts";

/** What ApiKeyService is made of. */
export interface ApiKeyRpcDeps {
  /** Who calls, and until when it waits. */
  readonly callOf: (context: HandlerContext) => Call;
  readonly manageKeys: ManageKeys;
}

/** `instantpayment.v1.ApiKeyService` on the use cases; requests have been validated before. */
export function createApiKeyRpc(deps: ApiKeyRpcDeps): ServiceImpl<typeof ApiKeyService> {
  const { callOf, manageKeys } = deps;
  return {
    async createApiKey({ ownerId, scopes, displayName, expireTime }, context) {
      const { key, secret } = await manageKeys.create(callOf(context), {
        ownerId,
        scopes: scopes.filter((scope) => isScope(scope)),
        displayName,
        expireTime: expireTime && timestampDate(expireTime),
      });
      return { apiKey: toApiKeyMessage(key), secret };
    },

    async listApiKeys(request, context) {
      const page = await manageKeys.list(callOf(context), {
        ownerId: request.ownerId || undefined,
        pageSize: request.pageSize,
        pageToken: request.pageToken,
      });
      return { apiKeys: page.keys.map(toApiKeyMessage), nextPageToken: page.nextPageToken };
    },

    async rotateApiKey({ apiKeyId, gracePeriod }, context) {
      const id = apiKeyId.toLowerCase();
      const graceMs = gracePeriod && durationMs(gracePeriod);
      const { key, secret } = await manageKeys.rotate(callOf(context), id, graceMs);
      return { apiKey: toApiKeyMessage(key), secret };
    },

    async revokeApiKey({ apiKeyId }, context) {
      const key = await manageKeys.revoke(callOf(context), apiKeyId.toLowerCase());
      return { apiKey: toApiKeyMessage(key) };
    },
  };
}
