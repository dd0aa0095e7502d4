/** A committed change that hasn't been published yet, as the relay hands it on. */
export interface OutboxEvent {
  /** What a relay leases, 0 to 63: a hash of the payment's id. */
  readonly shard: number;
  /** The order of the shard's events. */
  readonly id: string;
  readonly eventId: string;
  readonly paymentId: string;
  readonly sequence: number;
  /** When the change was booked, in ms since 1970. */
  readonly occurTimeMs: number;
  /** The encoded `instantpayment.v1.PaymentEvent`. */
  readonly payload: Uint8Array;
  /** Of the call that made the change (W3C Trace Context); null if nobody's did. */
  readonly traceparent: string | null;
}

/** Where the relay's events go. */
export interface Publisher {
  /**
   * Makes what it needs, unless that is there. False if nobody wants to have events at present: then
   * they stay unpublished. Throws if it couldn't publish now.
   */
  readonly open: () => Promise<boolean>;
  /**
   * Resolves once all are kept for good, those of a payment in the order given. Throws
   * RefusedEventsError if one of them is at fault. After any other error it's unknown which of them
   * were kept: all have to be published again.
   */
  publish(events: readonly OutboxEvent[]): Promise<void>;
  /** Throws, with a reason for operators, unless it could publish now. */
  readonly check: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** What events lead to in the database, where there is no Kafka to publish them to. */
export interface MarkEffect {
  /** False: nobody wants to have events at present. */
  readonly isWanted: () => Promise<boolean>;
  /**
   * An `insert` that becomes a part of the statement that marks events, so that both happen or
   * neither. Its parameters begin at `$first`; `marked (payment_id, sequence)` has the events
   * that are marked.
   */
  readonly insert: (first: number) => string;
  readonly valuesOf: (events: readonly OutboxEvent[]) => Promise<unknown[]>;
  /** Told when rows may be there. */
  readonly written: () => void;
}

/** Publishes by the mark alone, with its effect. */
export function publishByMark(effect: MarkEffect): Publisher {
  return {
    open: effect.isWanted,
    publish: async () => undefined,
    check: async () => undefined,
    close: async () => undefined,
  };
}

/** One of the events can't be published, and won't be however often it's tried. */
export class RefusedEventsError extends Error {
  override readonly name = "RefusedEventsError";
}
