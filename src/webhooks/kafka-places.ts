import type { Batch, Kafka } from "kafkajs";
import { SHARDS } from "../events/shard.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../platform/logger.ts";
import type { LoggedEvents } from "./logged-events.ts";

/** Where a group goes on in each partition, held against what Kafka still has. */
export interface Places {
  /**
   * Before the group is joined: where events are gone from Kafka that it hasn't read, tells so and
   * takes them from the log. Throws errors of Kafka and PostgreSQL, and the signal's reason.
   */
  readonly settle: (signal: AbortSignal) => Promise<void>;
  /** Throws unless all that comes before the batch was read or has been settled. */
  readonly check: (batch: Batch) => Promise<void>;
  /** All before that offset has been taken. */
  readonly moveTo: (partition: number, offset: number) => void;
  /** What was gone within the last day, for operators; undefined if nothing was. */
  readonly degraded: () => string | undefined;
}

/** Whose places they are, and what mends them. */
export interface PlacesDeps {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly groupId: string;
  readonly log: LoggedEvents;
  readonly onGap: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Where the group is in a partition. */
interface Place {
  readonly partition: number;
  /** It can't go on there. */
  readonly isGap: boolean;
  /** Where it was; undefined: there is no place of it, as of a new group's. */
  readonly place: number | undefined;
  /** The first event that Kafka still has, and what comes after the last. */
  readonly first: number;
  readonly end: number;
}

const SHOWN_MS = 24 * 3_600_000;

/**
 * kafkajs begins a partition anew, and tells nobody, if its place isn't there: since the topic has
 * let go of those events, was made anew or cut off, or since Kafka has forgotten the group.
 */
export function createPlaces(deps: PlacesDeps): Places {
  const { kafka, topic, groupId, log, clock, logger } = deps;
  /** Of the partitions that this notifier has read or settled. */
  const known = new Map<number, number>();
  /** Partitions that are told of and not settled yet. */
  const told = new Set<number>();
  let lastGap: { readonly text: string; readonly atMs: number } | undefined;

  async function look(): Promise<Place[]> {
    const admin = kafka.admin();
    try {
      await admin.connect();
      // Before the ends: nobody has read what isn't there yet.
      const [group] = await admin.fetchOffsets({ groupId, topics: [topic] });
      const committed = new Map(group?.partitions.map((one) => [one.partition, one.offset]));
      const spans = await admin.fetchTopicOffsets(topic);
      return spans.map(({ partition, low, high }) => {
        // Below 0: none, or what kafkajs commits when it begins anew.
        const offset = Number(committed.get(partition) ?? -1);
        const place = offset >= 0 ? offset : known.get(partition);
        const [first, end] = [Number(low), Number(high)];
        const isGap = place === undefined || place < first || place > end;
        return { partition, isGap, place, first, end };
      });
    } finally {
      await admin.disconnect();
    }
  }

  function tell({ partition, place, first, end }: Place): void {
    // A new group, as far as anybody knows.
    if (told.has(partition) || (place === undefined && first === 0)) return;
    told.add(partition);
    deps.onGap();
    const gone = place === undefined || place > end ? null : first - place;
    logger.error(
      { partition, place: place ?? null, first, end, gone },
      "events are gone from Kafka that notifiers may not have read",
    );
    const text = `events were gone from Kafka before they were read, of partitions`;
    lastGap = { text: `${text} ${[...told].join(", ")}`, atMs: clock.monotonicMs() };
  }

  /** From the log; nobody has read past a gap before. */
  async function mend(gaps: Place[], partitions: number, signal: AbortSignal): Promise<void> {
    for (const gap of gaps) tell(gap);
    const list = gaps.map(({ partition }) => partition);
    const shards = Array.from({ length: SHARDS }, (_, shard) => shard);
    const ofGaps = shards.filter((shard) => list.includes(shard % partitions));
    const taken = await log.take(ofGaps, signal);
    if (taken.deliveries === 0) return;
    logger.warn({ ...taken, partitions: list }, "events are told from the log");
  }

  return {
    async settle(signal) {
      const places = await look();
      const gaps = places.filter(({ isGap }) => isGap);
      if (gaps.length > 0 && (await log.areMissed())) await mend(gaps, places.length, signal);
      for (const { partition, isGap, place, first } of places) {
        known.set(partition, isGap ? first : place!);
      }
      told.clear();
    },
    async check(batch) {
      const { partition, highWatermark } = batch;
      const from = Number(batch.firstOffset());
      const place = known.get(partition);
      if (from === place) return;
      // Of another topic, if Kafka has no place either; else a return to what was read.
      if (place !== undefined && from < place && place <= Number(highWatermark)) {
        known.delete(partition);
      }
      const places = await look();
      if (places.some((one) => one.isGap && one.partition === partition)) {
        throw new Error(`partition ${partition} doesn't go on where it was left`);
      }
    },
    moveTo: (partition, offset) => void known.set(partition, offset),
    degraded() {
      if (lastGap === undefined || clock.monotonicMs() - lastGap.atMs > SHOWN_MS) return undefined;
      return lastGap.text;
    },
  };
}
