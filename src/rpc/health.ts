import { setTimeout as sleep } from "node:timers/promises";
import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/grpc/health/v1/health_pb.ts";
import { ServiceError } from "../kernel/errors.ts";

/** How soon a watcher hears of a change, in milliseconds. */
const WATCH_INTERVAL_MS = 250;

/**
 * Registers grpc.health.v1: all services, and the empty name for the whole instance, are SERVING
 * while `isReady` says so.
 */
export function registerHealth(
  router: ConnectRouter,
  services: readonly DescService[],
  isReady: () => boolean,
): void {
  const names = new Set(["", ...services.map((service) => service.typeName)]);
  const current = (): Status => (isReady() ? Status.SERVING : Status.NOT_SERVING);
  router.service(Health, {
    check({ service }) {
      if (!names.has(service)) throw new ServiceError("SERVICE_UNKNOWN");
      return { status: current() };
    },
    list() {
      const status = current();
      return { statuses: Object.fromEntries([...names].map((name) => [name, { status }])) };
    },
    async *watch({ service }, { signal }) {
      let last: Status | undefined;
      while (!signal.aborted) {
        const status = names.has(service) ? current() : Status.SERVICE_UNKNOWN;
        if (status !== last) yield { status };
        last = status;
        await sleep(WATCH_INTERVAL_MS, undefined, { signal, ref: false });
      }
    },
  });
}
