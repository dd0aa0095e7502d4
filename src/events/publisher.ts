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
  /** Makes what it needs, unless that is there. Throws if it couldn't publish now. */
  readonly open: () => Promise<void>;
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

/** One of the events can't be published, and won't be however often it's tried. */
export class RefusedEventsError extends Error {
  override readonly name = "RefusedEventsError";
}
