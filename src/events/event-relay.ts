import { createDatabaseClock, systemClock } from "../kernel/clock.ts";
import type { Database } from "../platform/database.ts";
import type { Logger } from "../platform/logger.ts";
import { createRelayMetrics, type Metrics } from "../platform/metrics.ts";
import { createOutbox } from "./outbox.ts";
import type { Publisher } from "./publisher.ts";
import { createRelay, type Relay } from "./relay.ts";
import { createShardLeases } from "./shard-leases.ts";

/** What a relay of this process publishes, and where to. */
export interface EventRelayDeps {
  readonly database: Database;
  readonly publisher: Publisher;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** The relay with all its parts; `stop` closes the publisher too. */
export function createEventRelay(deps: EventRelayDeps): Relay {
  const { database, publisher, logger, metrics } = deps;
  const clock = systemClock;
  const databaseClock = createDatabaseClock(clock);
  const outbox = createOutbox(database);
  const relay = createRelay({
    outbox,
    leases: createShardLeases({ database, clock, databaseClock }),
    publisher,
    clock,
    databaseClock,
    logger,
    metrics: createRelayMetrics(metrics, () => outbox.backlog()),
  });
  return {
    ...relay,
    async stop() {
      await relay.stop();
      await publisher.close();
    },
  };
}
