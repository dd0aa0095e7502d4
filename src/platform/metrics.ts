import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";

/** What is measured, in a registry of an app's own, so that several can live in one process. */
export interface Metrics {
  readonly registry: Registry;
  readonly observeCall: (call: { method: string; code: string; seconds: number }) => void;
  readonly observeBatch: (batch: { size: number; seconds: number }) => void;
  /** Calls `read` whenever the metrics are asked for. */
  readonly watchQueue: (read: () => number) => void;
  /** As `watchQueue`. */
  readonly watchStreams: (read: () => number) => void;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/** Makes the service's metrics, with those of process and event loop beside them. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const calls = new Histogram({
    name: "instant_payment_rpc_seconds",
    help: "Time that calls took, by method and Connect code",
    labelNames: ["method", "code"],
    buckets: SECONDS,
    registers,
  });
  const batches = new Histogram({
    name: "instant_payment_commit_seconds",
    help: "Time that ledger transactions took",
    buckets: SECONDS,
    registers,
  });
  const sizes = new Histogram({
    name: "instant_payment_commit_batch_size",
    help: "Payments in a ledger transaction",
    buckets: SIZES,
    registers,
  });
  return {
    registry,
    observeCall: ({ method, code, seconds }) => calls.observe({ method, code }, seconds),
    observeBatch({ size, seconds }) {
      batches.observe(seconds);
      sizes.observe(size);
    },
    watchQueue(read) {
      const gauge: Gauge = new Gauge({
        name: "instant_payment_commit_waiting",
        help: "Payments that wait for a ledger transaction",
        registers,
        collect: () => gauge.set(read()),
      });
    },
    watchStreams(read) {
      const gauge: Gauge = new Gauge({
        name: "instant_payment_open_streams",
        help: "Streams of callers that are open",
        registers,
        collect: () => gauge.set(read()),
      });
    },
  };
}

/** What is measured of a relay. */
export interface RelayMetrics {
  /** From a change to the moment when its event is kept by Kafka. */
  readonly observeLag: (seconds: number) => void;
  readonly countError: () => void;
  readonly setLeases: (shards: number) => void;
}

/** What waits to be published, in the whole log. */
type ReadBacklog = () => Promise<{ readonly events: number; readonly oldestSeconds: number }>;

/**
 * Adds gauges of what `read` finds, by the names of its parts; it's called once whenever the metrics
 * are asked for. As long as it throws they are NaN, and the other metrics are there all the same.
 */
function addGauges<T extends Readonly<Record<string, number>>>(
  registers: Registry[],
  read: () => Promise<T>,
  gauges: Readonly<Record<keyof T & string, { readonly name: string; readonly help: string }>>,
): void {
  let reading: Promise<T | undefined> | undefined;
  const readOnce = () =>
    (reading ??= read()
      .catch(() => undefined)
      .finally(() => (reading = undefined)));
  for (const [part, about] of Object.entries(gauges)) {
    const gauge: Gauge = new Gauge({
      ...about,
      registers,
      collect: async () => gauge.set((await readOnce())?.[part] ?? Number.NaN),
    });
  }
}

/** Adds a relay's metrics to an app's; `readBacklog` is called whenever they are asked for. */
export function createRelayMetrics({ registry }: Metrics, readBacklog: ReadBacklog): RelayMetrics {
  const registers = [registry];
  const lag = new Histogram({
    name: "instant_payment_relay_lag_seconds",
    help: "Time from a change to its event in Kafka, of the events that this relay published",
    buckets: [...SECONDS, 30, 60, 300],
    registers,
  });
  const errors = new Counter({
    name: "instant_payment_relay_errors_total",
    help: "Attempts to publish that failed",
    registers,
  });
  const leases = new Gauge({
    name: "instant_payment_relay_leases",
    help: "Shards, of 64, that this relay publishes",
    registers,
  });
  addGauges(registers, readBacklog, {
    oldestSeconds: {
      name: "instant_payment_outbox_oldest_seconds",
      help: "How long the oldest unpublished event has been waiting, of all shards",
    },
    events: {
      name: "instant_payment_outbox_events",
      help: "Events that wait to be published, of all shards, counted up to a million",
    },
  });
  return {
    observeLag: (seconds) => lag.observe(Math.max(0, seconds)),
    countError: () => errors.inc(),
    setLeases: (shards) => leases.set(shards),
  };
}

/** What is due and hasn't been done, in the whole database. */
type ReadOverdue = () => Promise<{ readonly payments: number; readonly oldestSeconds: number }>;

/** Adds a scheduler's metrics to an app's; `readOverdue` is called whenever they are asked for. */
export function createDueMetrics({ registry }: Metrics, readOverdue: ReadOverdue): void {
  addGauges([registry], readOverdue, {
    payments: {
      name: "instant_payment_due_payments",
      help: "Payments whose expiry or next attempt is due and not done, counted up to 100,000",
    },
    oldestSeconds: {
      name: "instant_payment_due_oldest_seconds",
      help: "For how long the longest overdue payment has been due",
    },
  });
}

/** What is measured of hot accounts. */
export interface HotAccountMetrics {
  readonly countConflict: () => void;
  readonly observeTurn: (turn: { outcome: string; seconds: number }) => void;
  readonly countLost: () => void;
}

/** What is looked up whenever the metrics are asked for. */
export interface HotAccountState {
  readonly hotAccounts: () => number;
  readonly isDegraded: () => boolean;
}

/** Adds the metrics of hot accounts and of their lock to an app's. */
export function createHotAccountMetrics(
  { registry }: Metrics,
  state: HotAccountState,
): HotAccountMetrics {
  const registers = [registry];
  const conflicts = new Counter({
    name: "instant_payment_commit_conflicts_total",
    help: "Ledger transactions that lost a race and were run again",
    registers,
  });
  const turns = new Histogram({
    name: "instant_payment_account_lock_seconds",
    help: "Time until a batch had its turn on hot accounts, by how it had it or that it hadn't",
    labelNames: ["outcome"],
    buckets: SECONDS,
    registers,
  });
  const lost = new Counter({
    name: "instant_payment_account_lock_lost_total",
    help: "Locks of hot accounts that were gone before they were given back",
    registers,
  });
  const hot: Gauge = new Gauge({
    name: "instant_payment_hot_accounts",
    help: "Accounts that this instance's payments queue for",
    registers,
    collect: () => hot.set(state.hotAccounts()),
  });
  const degraded: Gauge = new Gauge({
    name: "instant_payment_redis_degraded",
    help: "1 while payments go on without Redis, else 0",
    registers,
    collect: () => degraded.set(state.isDegraded() ? 1 : 0),
  });
  return {
    countConflict: () => conflicts.inc(),
    observeTurn: ({ outcome, seconds }) => turns.observe({ outcome }, seconds),
    countLost: () => lost.inc(),
  };
}
