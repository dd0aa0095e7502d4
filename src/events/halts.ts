import { backoffMs } from "../kernel/backoff.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../platform/logger.ts";
import type { OutboxEvent, RefusedEventsError } from "./publisher.ts";

/** The shards that wait because their first event is refused; the others go on. */
export interface Halts {
  /** True if the shard's first event was refused when it was tried last. */
  has(shard: number): boolean;
  /** True if it isn't to be tried again yet. */
  isHalted(shard: number): boolean;
  /** Lets the event's shard wait, longer each time. */
  halt(event: OutboxEvent, err: RefusedEventsError): void;
  /** Its first event was taken. */
  end(shard: number): void;
}

/** From one attempt to the next. */
const HALT_MS = { first: 1_000, most: 60_000 };

interface Halt {
  readonly failures: number;
  readonly untilMs: number;
}

/** None waits yet. */
export function createHalts({ clock, logger }: { clock: Clock; logger: Logger }): Halts {
  const halts = new Map<number, Halt>();
  return {
    has: (shard) => halts.has(shard),
    isHalted: (shard) => (halts.get(shard)?.untilMs ?? 0) > clock.monotonicMs(),
    halt({ shard, paymentId, eventId }, err) {
      const failures = (halts.get(shard)?.failures ?? 0) + 1;
      const waitMs = backoffMs(failures, HALT_MS.first, HALT_MS.most);
      halts.set(shard, { failures, untilMs: clock.monotonicMs() + waitMs });
      const about = { err, shard, paymentId, eventId, failures };
      logger.error(about, "an event is refused; its shard waits");
    },
    end: (shard) => void halts.delete(shard),
  };
}
