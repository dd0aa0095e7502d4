/** What a call to one method may cost. */
export interface MethodLimits {
  /** The largest request message in bytes, also after decompression. */
  readonly maxBodyBytes: number;
  /** The deadline of a call that names none, in milliseconds. */
  readonly defaultTimeoutMs: number;
  /** A longer deadline is cut to this, in milliseconds. */
  readonly maxTimeoutMs: number;
}

/** What callers may cost before the edge refuses them. */
export interface RpcLimits extends MethodLimits {
  /** Other limits for single methods, by `package.Service/Method`. */
  readonly methods: Readonly<Record<string, Partial<MethodLimits>>>;
  /** A request whose headers take longer is answered with 408, in milliseconds. */
  readonly headersTimeoutMs: number;
  /** A request whose body takes longer than this after its headers is answered with 408. */
  readonly bodyTimeoutMs: number;
  /** All header fields of a request together, in bytes. */
  readonly maxHeaderBytes: number;
  /** Open streams of one HTTP/2 connection. */
  readonly maxStreamsPerConnection: number;
  /** Unary calls at work at once; more are OVERLOADED. */
  readonly maxConcurrentCalls: number;
  /** Streams of callers that are open at once; more are OVERLOADED. */
  readonly maxConcurrentStreams: number;
  /** The same of one owner, whatever its keys. */
  readonly maxStreamsPerOwner: number;
  /** A stream of a caller is interrupted after this, up to a tenth less, in milliseconds. */
  readonly maxStreamMs: number;
  /** A stream is ended if its caller leaves a message unread for so long, in milliseconds. */
  readonly messageTimeoutMs: number;
  /** A connection on which nothing happens is closed after this, in milliseconds. */
  readonly idleTimeoutMs: number;
}

/** The limits of the service, unless it is told others. */
export const DEFAULT_LIMITS: RpcLimits = {
  maxBodyBytes: 64 * 1024,
  defaultTimeoutMs: 5_000,
  maxTimeoutMs: 30_000,
  methods: {
    "instantpayment.v1.PaymentService/BatchCreatePayments": { maxBodyBytes: 4 * 1024 * 1024 },
    "instantpayment.v1.LedgerService/VerifyLedger": {
      defaultTimeoutMs: 300_000,
      maxTimeoutMs: 3_600_000,
    },
  },
  headersTimeoutMs: 5_000,
  bodyTimeoutMs: 8_000,
  maxHeaderBytes: 16 * 1024,
  maxStreamsPerConnection: 128,
  maxConcurrentCalls: 2_048,
  maxConcurrentStreams: 10_000,
  maxStreamsPerOwner: 5_000,
  maxStreamMs: 3_600_000,
  messageTimeoutMs: 10_000,
  idleTimeoutMs: 300_000,
};
