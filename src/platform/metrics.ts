import { Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";

/** What is measured, in a registry of an app's own, so that several can live in one process. */
export interface Metrics {
  readonly registry: Registry;
  readonly observeCall: (call: { method: string; code: string; seconds: number }) => void;
  readonly observeBatch: (batch: { size: number; seconds: number }) => void;
  /** Calls `read` whenever the metrics are asked for. */
  readonly watchQueue: (read: () => number) => void;
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
  };
}
