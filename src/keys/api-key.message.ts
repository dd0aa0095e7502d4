import { create, toJsonString } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ApiKeySchema, type ApiKey } from "../../gen/instantpayment/v1/api_key_service_pb.ts";
import type { ApiKeyRow } from "./api-key.entity.ts";

/** The key on the wire, without its digests. */
export function toApiKeyMessage(key: ApiKeyRow): ApiKey {
  const time = (date: Date | null) => (date ? timestampFromDate(date) : undefined);
  return create(ApiKeySchema, {
    id: key.id,
    ownerId: key.ownerId,
    scopes: key.scopes,
    displayName: key.displayName,
    createTime: time(key.createTime),
    rotateTime: time(key.rotateTime),
    expireTime: time(key.expireTime),
    previousSecretExpireTime: time(key.previousExpireTime),
    revokeTime: time(key.revokeTime),
    lastUseTime: time(key.lastUseTime),
  });
}

/** The key as the API tells it in JSON. */
export function toApiKeyJson(key: ApiKeyRow): string {
  return toJsonString(ApiKeySchema, toApiKeyMessage(key), { alwaysEmitImplicit: true });
}
