import type {
  ApiKey as WireApiKey,
  CreateApiKeyRequest,
  CreateApiKeyResponse,
  ListApiKeysRequest,
  RotateApiKeyRequest,
} from "../../gen/instantpayment/v1/api_key_service_pb.ts";
import type * as sdk from "../../sdk/src/node.ts";
import type { FieldOf } from "./sdk-payment-contract.ts";

/** The part of `REQUESTS` that is about API keys. */
export const KEY_REQUESTS = {
  CreateApiKeyRequest: {
    ownerId: "ownerId",
    scopes: "scopes",
    displayName: "displayName",
    expireTime: "expireTime",
  } satisfies Record<FieldOf<CreateApiKeyRequest>, keyof sdk.NewApiKey>,
  ListApiKeysRequest: {
    ownerId: "ownerId",
    pageSize: "pageSize",
    pageToken: "pageToken",
  } satisfies Record<FieldOf<ListApiKeysRequest>, keyof sdk.ApiKeyFilter>,
  RotateApiKeyRequest: { apiKeyId: "itself", gracePeriod: "gracePeriodMs" } satisfies Record<
    FieldOf<RotateApiKeyRequest>,
    keyof sdk.RotateOptions | "itself"
  >,
  RevokeApiKeyRequest: { apiKeyId: "itself" },
};

/** The part of `ANSWERS` that is about API keys. */
export const KEY_ANSWERS = {
  ApiKey: {
    id: "id",
    ownerId: "ownerId",
    scopes: "scopes",
    displayName: "displayName",
    createTime: "createTime",
    rotateTime: "rotateTime",
    expireTime: "expireTime",
    previousSecretExpireTime: "previousSecretExpireTime",
    revokeTime: "revokeTime",
    lastUseTime: "lastUseTime",
  } satisfies Record<FieldOf<WireApiKey>, keyof sdk.ApiKey>,
  CreateApiKeyResponse: { apiKey: "itself", secret: "secret" } satisfies Record<
    FieldOf<CreateApiKeyResponse>,
    keyof sdk.ApiKeyWithSecret | "itself"
  >,
  ListApiKeysResponse: { apiKeys: "items", nextPageToken: "nextPageToken" },
  RotateApiKeyResponse: { apiKey: "itself", secret: "secret" },
  RevokeApiKeyResponse: { apiKey: "itself" },
};
