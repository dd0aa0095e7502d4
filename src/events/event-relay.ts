import { createDatabaseClock, systemClock } from "../kernel/clock.ts";
import type { Database } from "../platform/database.ts";
import type { Logger } from "../platform/logger.ts";
import { createRelayMetrics, type Metrics } from "../platform/metrics.ts";
import { createOutbox } from "./outbox.ts";
import { publishByMark, type MarkEffect, type Publisher } from "./publisher.ts";
import { createRelay, type Relay } from "./relay.ts";
import { createShardLeases } from "./shard-leases.ts";

/** What a relay of this process publishes, and where to. */
export interface EventRelayDeps {
  readonly database: Database;
  /** Kafka, or what events lead to without it. */
  readonly publisher: Publisher | MarkEffect;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** The relay with all its parts; `stop` closes the publisher too. */
export function createEventRelay(deps: EventRelayDeps): Relay {
  const { database, logger, metrics } = deps;
  const effect = "insert" in deps.publisher ? deps.publisher : undefined;
  const publisher = "insert" in deps.publisher ? publishByMark(deps.publisher) : deps.publisher;
  const clock = systemClock;
  const databaseClock = createDatabaseClock(clock);
  const outbox = createOutbox(database, effect);
  const isWanted = effect?.isWanted ?? (async () => true);
  const relay = createRelay({
    outbox,
    leases: createShardLeases({ database, clock, databaseClock, toKafka: !effect }),
    publisher,
    clock,
    databaseClock,
    logger,
    metrics: createRelayMetrics(metrics, async () =>
      (await isWanted()) ? outbox.backlog() : { events: 0, oldestSeconds: 0 },
    ),
  });
  return {
    ...relay,
    async stop() {
      await relay.stop();
      await publisher.close();
    },
  };
}
