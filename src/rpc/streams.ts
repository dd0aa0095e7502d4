import type { DescMethod } from "@bufbuild/protobuf";
import {
  createConnectRouter,
  createContextKey,
  createContextValues,
  type ContextValues,
  type HandlerContext,
  type Interceptor,
  type StreamRequest,
} from "@connectrpc/connect";
import {
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import type { Clock } from "../kernel/clock.ts";
import { ServiceError } from "../kernel/errors.ts";
import type { ReportCall } from "./call-report.ts";
import { callKey } from "./call.ts";
import { toConnectError, toServiceError } from "./error-mapping.ts";
import type { Gate } from "./gate.ts";
import type { Logger } from "../platform/logger.ts";
import { pathOf, type HttpHandler, type HttpRequest } from "./http.ts";
import type { RpcLimits } from "./limits.ts";
import type { StreamMethod } from "./method-table.ts";
import type { CheckRequest } from "./request-rules.ts";

/** What streaming calls are served with. */
export interface StreamDeps {
  readonly streams: readonly StreamMethod[];
  readonly gate: Gate;
  readonly checkRequest: CheckRequest;
  readonly report: ReportCall;
  readonly clock: Clock;
  readonly limits: RpcLimits;
  readonly logger: Logger;
  /** Aborted with a ServiceError when the server closes: every open stream ends with it. */
  readonly shutdownSignal: AbortSignal;
}

/**
 * Serves streaming calls by Connect's own handlers, where every error passes the interceptor. A
 * stream has no other deadline than the one its caller gives it. The request id is expected in the
 * request's header `x-request-id`.
 */
export function createStreamHandler(deps: StreamDeps): HttpHandler {
  const router = createConnectRouter({
    acceptCompression: [compressionGzip],
    readMaxBytes: deps.limits.maxBodyBytes,
    jsonOptions: { ignoreUnknownFields: false, alwaysEmitImplicit: true },
    shutdownSignal: deps.shutdownSignal,
    requestGate: (context) => admit(deps, context),
    interceptors: [createStreamInterceptor(deps)],
  });
  for (const { spec } of deps.streams) router.rpc(spec.method, spec.impl as never);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  return async (request, response) => {
    const handler = handlers.get(pathOf(request));
    if (handler === undefined) throw new Error(`there is no stream at ${pathOf(request)}`);
    const values = createContextValues().set(requestKey, request);
    try {
      const call = universalRequestFromNodeRequest(request, response, undefined, values);
      // Connect's own body destroys the request, and with it HTTP/1.1's answer, when it is refused.
      const body = request.iterator({ destroyOnReturn: false });
      const answer = await handler({ ...call, body });
      await universalResponseToNodeResponse(answer, response);
    } catch (err) {
      // The caller has left: whatever else happens is told to the caller and in the report.
      deps.logger.debug({ err, requestId: request.headers["x-request-id"] }, "stream broke off");
      response.destroy();
    }
  };
}

/** The HTTP request of a stream, so that what wasn't read of it can be dropped. */
const requestKey = createContextKey<HttpRequest | undefined>(undefined);

async function admit(deps: StreamDeps, context: HandlerContext): Promise<void> {
  const startMs = deps.clock.monotonicMs();
  try {
    deps.gate.assertOpen();
    const { scope } = deps.streams.find(({ spec }) => spec.method === context.method)!;
    if (scope === undefined) return;
    const authorization = context.requestHeader.get("authorization") ?? undefined;
    const principal = await deps.gate.admit(authorization, scope);
    const deadlineMs = startMs + (context.timeoutMs() ?? Number.POSITIVE_INFINITY);
    context.values.set(callKey, { principal, deadlineMs });
  } catch (thrown) {
    const error = toServiceError(thrown);
    end(deps, context.method, context.requestHeader, context.values, startMs, error);
    throw toConnectError(error, requestIdOf(context.requestHeader));
  }
}

function createStreamInterceptor(deps: StreamDeps): Interceptor {
  return (next) => async (request) => {
    if (!request.stream) return await next(request);
    const startMs = deps.clock.monotonicMs();
    const { method, header, signal, contextValues } = request;
    const onEnd = (error: ServiceError | undefined): void =>
      end(deps, method, header, contextValues, startMs, error);
    try {
      const response = await next({ ...request, message: checkedMessages(deps, request) });
      if (!response.stream) return response;
      return { ...response, message: relay(response.message, signal, requestIdOf(header), onEnd) };
    } catch (thrown) {
      const error = toServiceError(thrown);
      onEnd(error);
      throw toConnectError(error, requestIdOf(header));
    }
  };
}

/** The answers as they come, until the implementation or the signal ends them. */
async function* relay<T>(
  answers: AsyncIterable<T>,
  signal: AbortSignal,
  requestId: string,
  onEnd: (error: ServiceError | undefined) => void,
): AsyncGenerator<T> {
  // What stands if the caller leaves, which ends a generator at its `yield`.
  let error: ServiceError | undefined = new ServiceError("CANCELLED");
  const iterator = answers[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await orAbort(iterator.next(), signal);
      if (step.done === true) break;
      yield step.value;
    }
    error = undefined;
  } catch (thrown) {
    error = toServiceError(thrown);
    throw toConnectError(error, requestId);
  } finally {
    onEnd(error);
    // Not awaited: an implementation that hangs would hang this too.
    iterator.return?.().catch(() => undefined);
  }
}

/** The requests, each checked; the only one of a server stream must come within the body's time. */
async function* checkedMessages(deps: StreamDeps, request: StreamRequest) {
  const { method, message: messages, signal } = request;
  const isOne = method.methodKind === "server_streaming";
  const iterator = messages[Symbol.asyncIterator]();
  const limit = isOne ? AbortSignal.timeout(deps.limits.bodyTimeoutMs) : undefined;
  for (;;) {
    const step = await orAbort(iterator.next(), limit ?? signal);
    if (step.done === true) return;
    deps.checkRequest(method.input, step.value);
    yield step.value;
  }
}

function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortError(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Connect and the server abort with errors of their own; a plain abort means a caller who left. */
function abortError(signal: AbortSignal): unknown {
  const { reason } = signal;
  if (!(reason instanceof DOMException)) return reason;
  if (reason.name !== "TimeoutError") return new ServiceError("CANCELLED", { cause: reason });
  return new ServiceError("DEADLINE_EXCEEDED", { message: "the request's body took too long" });
}

function end(
  deps: StreamDeps,
  method: DescMethod,
  header: Headers,
  values: ContextValues,
  startMs: number,
  error: ServiceError | undefined,
): void {
  // What is still to come of the body is dropped: unread, it would keep a stream of HTTP/2 open.
  values.get(requestKey)?.removeAllListeners("readable").resume();
  const durationMs = deps.clock.monotonicMs() - startMs;
  const name = `${method.parent.typeName}/${method.name}`;
  deps.report({ method: name, requestId: requestIdOf(header), durationMs, error });
}

function requestIdOf(header: Headers): string {
  return header.get("x-request-id") ?? "";
}
