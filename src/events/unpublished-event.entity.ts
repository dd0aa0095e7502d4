import { defineEntity, p } from "@mikro-orm/core";

/**
 * An event that waits to be published: a row written by the statement that writes the event, and
 * deleted once it's published. So the log is only added to.
 */
export const UnpublishedEventEntity = defineEntity({
  name: "UnpublishedEvent",
  tableName: "unpublished_event",
  properties: {
    /** The event's shard and id, by which it's its turn. */
    shard: p.smallint().primary(),
    id: p.bigint("number").primary(),
    /** The event's primary key. */
    paymentId: p.uuid(),
    sequence: p.integer(),
    createTime: p.datetime(3),
  },
});
