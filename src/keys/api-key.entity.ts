import { defineEntity, p, type InferEntity } from "@mikro-orm/core";
import type { Scope } from "../kernel/principal.ts";

/** A key that callers authenticate with. Of its secrets only digests are kept. */
export const ApiKeyEntity = defineEntity({
  name: "ApiKey",
  tableName: "api_key",
  properties: {
    id: p.uuid().primary(),
    ownerId: p.text(),
    scopes: p.array().$type<Scope[]>(),
    displayName: p.text(),
    /** SHA-256 of the secret. It's 256 random bits, so nothing slower is needed. */
    secretDigest: p.blob(),
    /** Of the secret before the last rotation; it works until `previousExpireTime`. */
    previousDigest: p.blob().strictNullable(),
    previousExpireTime: p.datetime(3).strictNullable(),
    createTime: p.datetime(3),
    rotateTime: p.datetime(3),
    expireTime: p.datetime(3).strictNullable(),
    revokeTime: p.datetime(3).strictNullable(),
    /** Written about once a minute, see `find-key-owner.ts`. */
    lastUseTime: p.datetime(3).strictNullable(),
  },
  indexes: [{ name: "api_key_owner_index", properties: ["ownerId", "id"] }],
});

/** A row of `api_key`. */
export type ApiKeyRow = InferEntity<typeof ApiKeyEntity>;
