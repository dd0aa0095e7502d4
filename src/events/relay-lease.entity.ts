import { defineEntity, p } from "@mikro-orm/core";

/** The relays that run, so that each takes its part of the shards and no more. */
export const RelayEntity = defineEntity({
  name: "Relay",
  tableName: "relay",
  properties: {
    id: p.uuid().primary(),
    /** From this moment on the relay counts as gone, unless it has said otherwise. */
    expireTime: p.datetime(3),
    /** One that doesn't publish to Kafka takes no shards while there is one that does. */
    toKafka: p.boolean(),
  },
});

/** One row for each of the 64 shards: who publishes its events. */
export const RelayLeaseEntity = defineEntity({
  name: "RelayLease",
  tableName: "relay_lease",
  properties: {
    shard: p.smallint().primary().autoincrement(false),
    /** One more each time the shard changes hands; compared whenever events are marked. */
    epoch: p.bigint("number").defaultRaw("0"),
    relayId: p.uuid().strictNullable(),
    /** From this moment on any relay may take the shard. */
    expireTime: p.datetime(3).defaultRaw("'-infinity'"),
  },
});
