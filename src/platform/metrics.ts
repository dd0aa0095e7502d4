import { Registry, collectDefaultMetrics } from "prom-client";

/** A registry of an app's own, so that several can live in one process. */
export function createMetrics(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}
