import { setTimeout as sleep } from "node:timers/promises";
import { createRegistry, type DescService, type Registry } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { systemClock, type Clock } from "../kernel/clock.ts";
import { ServiceError } from "../kernel/errors.ts";
import type { Logger } from "../platform/logger.ts";
import { createCallReport, type ObservedCall } from "./call-report.ts";
import { createEntrance } from "./entrance.ts";
import { createGate, type Authenticate, type Gate } from "./gate.ts";
import { registerHealth } from "./health.ts";
import type { HttpHandler } from "./http.ts";
import { DEFAULT_LIMITS, type RpcLimits } from "./limits.ts";
import { createListener, type TlsFiles } from "./listener.ts";
import { createMethodTable, type MethodTable, type ScopeOf } from "./method-table.ts";
import { createOpenStreams, type OpenStreams } from "./open-streams.ts";
import { REFLECTION_SERVICES, registerReflection } from "./reflection.ts";
import { createRequestCheck } from "./request-rules.ts";
import { requiredScopeOf } from "./required-scope.ts";
import { createStreamHandler } from "./streams.ts";
import { createUnaryHandler } from "./unary.ts";

/** What an RPC server is made of. */
export interface RpcServerOptions {
  readonly host: string;
  /** 0 for a free port. */
  readonly port: number;
  /** With TLS the port speaks nothing else. */
  readonly tls?: TlsFiles | undefined;
  /** Web origins that may call, for example `https://shop.example`; "*" for all. */
  readonly corsOrigins?: readonly string[];
  readonly authenticate: Authenticate;
  /** What a method needs; what its proto says, unless told otherwise. */
  readonly scopeOf?: ScopeOf;
  /** Registers the implementations. */
  readonly routes: (router: ConnectRouter) => void;
  /** What health tells of: the services that `routes` registers. */
  readonly services: readonly DescService[];
  /** The roles that offer services of the contract that this instance doesn't, by full names. */
  readonly rolesElsewhere?: ReadonlyMap<string, string>;
  /**
   * What reflection tells of, if more than these: behind a load balancer a question about one
   * instance's services may reach another.
   */
  readonly described?: readonly DescService[];
  readonly isReady: () => boolean;
  readonly logger: Logger;
  /** Told of every call that ended. */
  readonly observe?: (call: ObservedCall) => void;
  /** In place of single default limits. */
  readonly limits?: Partial<RpcLimits>;
  /** Pages by their exact path; they need no key. */
  readonly httpRoutes?: Readonly<Record<string, HttpHandler>>;
  readonly clock?: Clock;
}

/** A server of one port for Connect, gRPC and gRPC-Web, with JSON and Protobuf. */
export interface RpcServer {
  /** Resolves once calls are taken. Throws if the port is taken or a TLS file can't be read. */
  start(): Promise<{ host: string; port: number }>;
  /**
   * Refuses new calls as UNAVAILABLE, ends streams, lets unary calls finish for `graceMs`
   * milliseconds, whether their callers are still there or not, then cuts every connection.
   */
  close(graceMs: number): Promise<void>;
  /** How many streams of callers are open. */
  readonly openStreams: number;
}

/** Makes the server; it does nothing until it's started. Throws for a method without a scope. */
export function createRpcServer(options: RpcServerOptions): RpcServer {
  const { host, port, tls, logger } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const gate = createGate(options.authenticate);
  const closing = new AbortController();
  const publicServices = [Health, ...REFLECTION_SERVICES];
  const services = [...options.services, ...publicServices];
  const types = createRegistry(...services.map(({ file }) => file));
  const table = createMethodTable(
    (router) => {
      options.routes(router);
      registerHealth(router, services, () => !closing.signal.aborted && options.isReady());
      registerReflection(router, [...(options.described ?? options.services), ...publicServices]);
    },
    { publicServices, scopeOf: options.scopeOf ?? requiredScopeOf, limits, types },
  );
  const openStreams = createOpenStreams({ gate, limits });
  const { onRequest, idle } = createHandlers(
    options,
    { limits, gate, openStreams, table, types },
    closing.signal,
  );
  const listener = createListener({ host, port, tls, limits, logger, onRequest });
  return {
    start: () => listener.start(),
    async close(graceMs) {
      gate.shut();
      const message = "the instance is shutting down";
      closing.abort(new ServiceError("STREAM_INTERRUPTED", { message }));
      const grace = new AbortController();
      // A call goes on when its caller has left, and needs what is closed after the server.
      const over = sleep(graceMs, undefined, { signal: grace.signal }).catch(() => undefined);
      await Promise.all([listener.close(graceMs), Promise.race([idle(), over])]);
      grace.abort();
    },
    get openStreams() {
      return openStreams.count;
    },
  };
}

function createHandlers(
  options: RpcServerOptions,
  parts: {
    readonly limits: RpcLimits;
    readonly gate: Gate;
    readonly openStreams: OpenStreams;
    readonly table: MethodTable;
    readonly types: Registry;
  },
  shutdownSignal: AbortSignal,
) {
  const { logger, clock = systemClock } = options;
  const { table, ...shared } = parts;
  const report = createCallReport(logger, options.observe);
  const deps = { ...shared, clock, logger, report, checkRequest: createRequestCheck() };
  const unary = createUnaryHandler(deps);
  const streams = createStreamHandler({ ...deps, streams: table.streams, shutdownSignal });
  const onRequest = createEntrance({
    corsOrigins: options.corsOrigins ?? [],
    httpRoutes: new Map(Object.entries(options.httpRoutes ?? {})),
    unaryMethods: table.unary,
    streams: streams.methods,
    rolesElsewhere: options.rolesElsewhere ?? new Map(),
    serveUnary: unary.serve,
    serveStream: streams.serve,
    logger,
  });
  return { onRequest, idle: unary.idle };
}
