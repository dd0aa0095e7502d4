import { defineEntity, p, type InferEntity } from "@mikro-orm/core";
import type { ChangeType } from "../ledger/posting.ts";

/** Why an endpoint gets nothing: its owner said so, it answered 410, or it was dead for days. */
export type DisabledReason = "updated" | "gone" | "failing";

/** Where an owner is told what happens to its payments. */
export const WebhookEndpointEntity = defineEntity({
  name: "WebhookEndpoint",
  tableName: "webhook_endpoint",
  properties: {
    id: p.uuid().primary(),
    ownerId: p.text(),
    url: p.text(),
    /** Empty: all. */
    eventTypes: p.array().$type<ChangeType[]>(),
    description: p.text(),
    /** The next event of a payment waits for the one before it. */
    ordered: p.boolean(),
    /** As it is, not a digest: requests are signed with it. */
    secret: p.blob(),
    /** The secret before the last rotation; it signs too until `previousExpireTime`. */
    previousSecret: p.blob().strictNullable(),
    previousExpireTime: p.datetime(3).strictNullable(),
    enabled: p.boolean(),
    disabledReason: p.text().$type<DisabledReason>().strictNullable(),
    /** How many times in a row results were written of which none was a success. */
    failures: p.integer().defaultRaw("0"),
    /** Since when nothing came through; null: the last attempt did. */
    failingSince: p.datetime(3).strictNullable(),
    /** Nothing is sent before. */
    pauseTime: p.datetime(3).strictNullable(),
    createTime: p.datetime(3),
    updateTime: p.datetime(3),
  },
  indexes: [{ name: "webhook_endpoint_owner_index", properties: ["ownerId", "id"] }],
});

/** A row of `webhook_endpoint`. */
export type WebhookEndpointRow = InferEntity<typeof WebhookEndpointEntity>;
