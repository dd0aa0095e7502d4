import type { DescMethod, Registry } from "@bufbuild/protobuf";
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
import { pathOf, type HttpHandler, type HttpRequest, type HttpResponse } from "./http.ts";
import type { RpcLimits } from "./limits.ts";
import type { StreamMethod } from "./method-table.ts";
import type { OpenStream, OpenStreams } from "./open-streams.ts";
import type { CheckRequest } from "./request-rules.ts";
import { orAbort, relayAnswers } from "./stream-answers.ts";

/** What streaming calls are served with. */
export interface StreamDeps {
  readonly streams: readonly StreamMethod[];
  readonly gate: Gate;
  readonly openStreams: OpenStreams;
  readonly checkRequest: CheckRequest;
  /** What an Any in JSON may hold. */
  readonly types: Registry;
  readonly report: ReportCall;
  readonly clock: Clock;
  readonly limits: RpcLimits;
  readonly logger: Logger;
  /** Aborted with a ServiceError when the server closes: every open stream ends with it. */
  readonly shutdownSignal: AbortSignal;
}

/** Serves streaming calls. */
export interface StreamHandler {
  readonly serve: HttpHandler;
  /** The methods by their path: whether they take a content type. */
  readonly methods: ReadonlyMap<string, (contentType: string | null) => boolean>;
}

/**
 * Serves streaming calls by Connect's own handlers, where every error passes the interceptor. A
 * stream has no other deadline than the one its caller gives it; if there is a caller, it lasts no
 * longer than its key works and `maxStreamMs`. Nothing is made before the caller has taken what was
 * made before. The request id is expected in the request's header `x-request-id`.
 */
export function createStreamHandler(deps: StreamDeps): StreamHandler {
  const router = createConnectRouter({
    acceptCompression: [compressionGzip],
    readMaxBytes: deps.limits.maxBodyBytes,
    jsonOptions: { ignoreUnknownFields: false, alwaysEmitImplicit: true, registry: deps.types },
    requestGate: (context) => admit(deps, context),
    interceptors: [createStreamInterceptor(deps)],
  });
  for (const { spec } of deps.streams) router.rpc(spec.method, spec.impl as never);
  // Not Connect's `shutdownSignal`: to listen to one signal takes longer with each who does.
  const closings = new Set<AbortController>();
  deps.shutdownSignal.addEventListener("abort", () => {
    for (const closing of closings) closing.abort(deps.shutdownSignal.reason);
  });
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  const serve: HttpHandler = async (request, response) => {
    const handler = handlers.get(pathOf(request));
    if (handler === undefined) throw new Error(`there is no stream at ${pathOf(request)}`);
    const closing = new AbortController();
    closings.add(closing);
    const values = createContextValues().set(exchangeKey, { request, response, closing });
    response.once("close", () => {
      closings.delete(closing);
      values.get(openStreamKey)?.close();
    });
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
  const methods = router.handlers.map(
    (handler) => [handler.requestPath, handler.supportedContentType] as const,
  );
  return { serve, methods: new Map(methods) };
}

/** Where a stream comes from and goes to. */
interface Exchange {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  /** Aborted when the server closes. */
  readonly closing: AbortController;
}

const exchangeKey = createContextKey<Exchange | undefined>(undefined);
/** Undefined for a method that needs no key. */
const openStreamKey = createContextKey<OpenStream | undefined>(undefined);

async function admit(deps: StreamDeps, context: HandlerContext): Promise<void> {
  const startMs = deps.clock.monotonicMs();
  try {
    deps.gate.assertOpen();
    const { scope } = deps.streams.find(({ spec }) => spec.method === context.method)!;
    if (scope === undefined) return;
    const authorization = context.requestHeader.get("authorization") ?? undefined;
    const open = await deps.openStreams.admit(authorization, scope);
    const { response } = context.values.get(exchangeKey)!;
    // Its caller may have left meanwhile.
    if (response.closed) open.close();
    const deadlineMs = startMs + (context.timeoutMs() ?? Number.POSITIVE_INFINITY);
    context.values.set(openStreamKey, open).set(callKey, { principal: open.principal, deadlineMs });
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
      const exchange = contextValues.get(exchangeKey)!;
      const message = relayAnswers(response.message, {
        signals: [signal, exchange.closing.signal, contextValues.get(openStreamKey)?.signal],
        response: exchange.response,
        messageTimeoutMs: deps.limits.messageTimeoutMs,
        requestId: requestIdOf(header),
        onEnd,
      });
      return { ...response, message };
    } catch (thrown) {
      const error = toServiceError(thrown);
      onEnd(error);
      throw toConnectError(error, requestIdOf(header));
    }
  };
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

function end(
  deps: StreamDeps,
  method: DescMethod,
  header: Headers,
  values: ContextValues,
  startMs: number,
  error: ServiceError | undefined,
): void {
  // What is still to come of the body is dropped: unread, it would keep a stream of HTTP/2 open.
  values.get(exchangeKey)?.request.removeAllListeners("readable").resume();
  const durationMs = deps.clock.monotonicMs() - startMs;
  const name = `${method.parent.typeName}/${method.name}`;
  deps.report({ method: name, requestId: requestIdOf(header), durationMs, error });
}

function requestIdOf(header: Headers): string {
  return header.get("x-request-id") ?? "";
}
