import { create, toBinary, toJsonString, type Message, type Registry } from "@bufbuild/protobuf";
import type { Clock } from "../kernel/clock.ts";
import { ServiceError } from "../kernel/errors.ts";
import { readTraceparent } from "../kernel/trace-context.ts";
import type { Logger } from "../platform/logger.ts";
import type { ReportCall } from "./call-report.ts";
import { timeoutMsOf } from "./deadline.ts";
import { toConnectError, toServiceError } from "./error-mapping.ts";
import type { Gate } from "./gate.ts";
import type { HttpHeaders, HttpRequest, HttpResponse } from "./http.ts";
import type { RpcLimits } from "./limits.ts";
import type { UnaryMethod } from "./method-table.ts";
import { messageFromBody, messageFromQuery } from "./request-body.ts";
import { mergeIdempotencyKey, type CheckRequest } from "./request-rules.ts";
import { UnaryContext } from "./unary-context.ts";
import { sendError, sendMessage, type WireFormat } from "./wire-format.ts";

/** What unary calls are served with. */
export interface UnaryDeps {
  readonly gate: Gate;
  readonly checkRequest: CheckRequest;
  /** What an Any in JSON may hold. */
  readonly types: Registry;
  readonly report: ReportCall;
  readonly clock: Clock;
  readonly limits: RpcLimits;
  readonly logger: Logger;
}

/** One unary call as it came in. */
export interface UnaryRequest {
  readonly method: UnaryMethod;
  readonly format: WireFormat;
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly requestId: string;
}

/** A call at work. Whoever answers first, the work or the timer, has answered it. */
interface UnaryCall extends UnaryRequest {
  readonly deps: UnaryDeps;
  readonly startMs: number;
  readonly isTimeoutReadable: boolean;
  readonly deadlineMs: number;
  /** Set while the body is being received, which must be complete by then. */
  bodyDeadlineMs: number | undefined;
  timer: NodeJS.Timeout | undefined;
  isAnswered: boolean;
}

/** Serves unary calls. */
export interface UnaryHandler {
  readonly serve: (request: UnaryRequest) => Promise<void>;
  /** Resolves once no call is at work, also none whose caller has left or was answered already. */
  readonly idle: () => Promise<void>;
}

/**
 * Serves unary calls of all protocols, which Connect's own handlers can't do well enough: they
 * answer a bad body before any interceptor, take a deadline for a mere signal, and cost several
 * times as much. The order: key, deadline, body, message, rules, implementation.
 */
export function createUnaryHandler(deps: UnaryDeps): UnaryHandler {
  let callsAtWork = 0;
  let onIdle = (): void => undefined;

  async function serve(request: UnaryRequest): Promise<void> {
    const startMs = deps.clock.monotonicMs();
    const { limits } = request.method;
    const asked = timeoutMsOf(request.request, request.format, limits);
    const timeoutMs = asked ?? limits.defaultTimeoutMs;
    const call: UnaryCall = {
      ...request,
      deps,
      startMs,
      isTimeoutReadable: asked !== undefined,
      deadlineMs: startMs + timeoutMs,
      bodyDeadlineMs: undefined,
      timer: undefined,
      isAnswered: false,
    };
    call.timer = setTimeout(onTimer, Math.min(timeoutMs, deps.limits.bodyTimeoutMs), call);
    callsAtWork += 1;
    try {
      if (callsAtWork > deps.limits.maxConcurrentCalls) throw new ServiceError("OVERLOADED");
      await work(call);
    } catch (error) {
      refuse(call, toServiceError(error));
    } finally {
      callsAtWork -= 1;
      if (callsAtWork === 0) onIdle();
    }
  }

  return {
    serve,
    async idle() {
      if (callsAtWork > 0) await new Promise<void>((resolve) => (onIdle = resolve));
    },
  };
}

async function work(call: UnaryCall): Promise<void> {
  const { deps, method, format, request, response, deadlineMs } = call;
  deps.gate.assertOpen();
  const principal =
    method.scope && (await deps.gate.admit(request.headers.authorization, method.scope));
  assertInTime(call);
  const bytes = await receive(call);
  assertInTime(call);
  const message = method.parse(bytes, format.isJson);
  if (method.idempotencyField !== undefined) {
    mergeIdempotencyKey(message, method.idempotencyField, request.headers["idempotency-key"]);
  }
  deps.checkRequest(method.desc.input, message);
  const context = new UnaryContext({
    method: method.desc,
    protocolName: format.protocol,
    request,
    response,
    call: principal && {
      principal,
      deadlineMs,
      traceparent: readTraceparent(request.headers["traceparent"]),
    },
    deadlineMs,
    clock: deps.clock,
  });
  const result = await method.implementation(message, context);
  answer(call, create(method.desc.output, result), context);
}

async function receive(call: UnaryCall): Promise<Buffer> {
  const { request, format, method, deps } = call;
  const { maxBodyBytes } = method.limits;
  if (request.method === "GET") return await messageFromQuery(request, maxBodyBytes);
  call.bodyDeadlineMs = call.startMs + deps.limits.bodyTimeoutMs;
  const bytes = await messageFromBody(request, format, maxBodyBytes);
  call.bodyDeadlineMs = undefined;
  return bytes;
}

function assertInTime(call: UnaryCall): void {
  if (!call.isTimeoutReadable) {
    throw new ServiceError("MALFORMED_REQUEST", { message: "the time-out can't be read" });
  }
  if (call.deps.clock.monotonicMs() >= call.deadlineMs) {
    throw new ServiceError("DEADLINE_EXCEEDED");
  }
}

function onTimer(call: UnaryCall): void {
  const dueMs = call.bodyDeadlineMs ?? call.deadlineMs;
  const leftMs = dueMs - call.deps.clock.monotonicMs();
  if (leftMs > 0) {
    call.timer = setTimeout(onTimer, leftMs, call);
  } else if (call.bodyDeadlineMs === undefined) {
    refuse(call, new ServiceError("DEADLINE_EXCEEDED"));
  } else {
    const message = "the request's body took too long";
    refuse(call, new ServiceError("DEADLINE_EXCEEDED", { message }), 408);
  }
}

function answer(call: UnaryCall, message: Message, context: UnaryContext): void {
  const { output } = call.method.desc;
  const body = call.format.isJson
    ? toJsonString(output, message, { alwaysEmitImplicit: true, registry: call.deps.types })
    : toBinary(output, message);
  if (!settle(call, undefined)) return;
  const headers = headersFor(call);
  context.addHeadersTo(headers);
  sendMessage(call.response, call.format, body, headers, context.trailers);
}

function refuse(call: UnaryCall, error: ServiceError, status?: number): void {
  if (!settle(call, error)) return;
  const headers = headersFor(call, status === 408 || call.deps.gate.isShut());
  // What is still to come of the body is dropped: unread, it would keep a stream of HTTP/2 open.
  call.request.resume();
  const connectError = toConnectError(error, call.requestId);
  sendError(call.response, call.format, connectError, headers, status);
}

/** True the first time; the call is over then. */
function settle(call: UnaryCall, error: ServiceError | undefined): boolean {
  const { deps, method, requestId } = call;
  if (call.isAnswered) {
    if (error?.reason === "INTERNAL") {
      deps.logger.error({ err: error.cause, method: method.name, requestId }, "failed too late");
    }
    return false;
  }
  call.isAnswered = true;
  clearTimeout(call.timer);
  const durationMs = deps.clock.monotonicMs() - call.startMs;
  deps.report({ method: method.name, requestId, durationMs, error });
  return true;
}

function headersFor(call: UnaryCall, isLast = call.deps.gate.isShut()): HttpHeaders {
  const headers: HttpHeaders = { "x-request-id": call.requestId };
  if (call.request.method === "GET") headers["cache-control"] = "no-store";
  if (isLast && call.request.httpVersionMajor === 1) headers.connection = "close";
  return headers;
}
