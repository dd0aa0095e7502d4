/** What a consumer needs to know of an event to follow its payment. */
export interface SeenEvent {
  readonly paymentId: string;
  readonly sequence: number;
  readonly eventId: string;
}

/** What came of following all payments by the rule. */
export interface Followed {
  /** The event ids of each payment, of sequence 1, 2, 3 … */
  readonly eventIds: ReadonlyMap<string, readonly string[]>;
  /** How many were dropped: not above the last sequence seen of their payment. */
  readonly repeated: number;
  /** What no order of events may show, in lines of text. */
  readonly breaches: readonly string[];
}

/**
 * Follows payments as a consumer is told to: drop what isn't above the last sequence seen. What is
 * left must be 1, 2, 3 … of each payment, and a repeated event the one that was there before.
 */
export function followByRule(events: Iterable<SeenEvent>): Followed {
  const eventIds = new Map<string, string[]>();
  const breaches: string[] = [];
  let repeated = 0;
  for (const { paymentId, sequence, eventId } of events) {
    const seen = eventIds.get(paymentId) ?? [];
    if (sequence <= seen.length) {
      repeated++;
      if (seen[sequence - 1] !== eventId) {
        breaches.push(`${paymentId}: two events are its number ${sequence}`);
      }
    } else if (sequence > seen.length + 1) {
      breaches.push(`${paymentId}: ${sequence} comes after ${seen.length}`);
    } else {
      eventIds.set(paymentId, [...seen, eventId]);
    }
  }
  return { eventIds, repeated, breaches };
}
