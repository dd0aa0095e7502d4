import { randomUUID } from "node:crypto";
import type { Http2ServerRequest } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { ServiceError } from "../kernel/errors.ts";
import type { Logger } from "../platform/logger.ts";
import { applyCors } from "./cors.ts";
import { toConnectError } from "./error-mapping.ts";
import { pathOf, type HttpHandler, type HttpRequest, type HttpResponse } from "./http.ts";
import type { UnaryMethod } from "./method-table.ts";
import { encodingFromQuery } from "./request-body.ts";
import type { UnaryRequest } from "./unary.ts";
import {
  CONNECT_JSON,
  CONNECT_PROTO,
  formatOf,
  PLAIN_JSON,
  sendError,
  STREAM_CONTENT_TYPES,
  UNARY_CONTENT_TYPES,
  type WireFormat,
} from "./wire-format.ts";

/** Where requests go. */
export interface EntranceDeps {
  readonly corsOrigins: readonly string[];
  /** Pages by their exact path; they need no key. */
  readonly httpRoutes: ReadonlyMap<string, HttpHandler>;
  readonly unaryMethods: ReadonlyMap<string, UnaryMethod>;
  /** Streaming methods by their path: whether they take a content type. */
  readonly streams: ReadonlyMap<string, (contentType: string | null) => boolean>;
  /** The roles that offer services that this instance doesn't, by the services' full names. */
  readonly rolesElsewhere: ReadonlyMap<string, string>;
  readonly serveUnary: (request: UnaryRequest) => Promise<void>;
  readonly serveStream: HttpHandler;
  readonly logger: Logger;
}

/**
 * The first to see a request: refuses what isn't one for this service, gives it an id, and hands
 * it on. It never throws, whatever the request.
 */
export function createEntrance(deps: EntranceDeps): (req: HttpRequest, res: HttpResponse) => void {
  const origins = new Set(deps.corsOrigins);
  return (request, response) => {
    enter(deps, origins, request, response).catch((error: unknown) => {
      // The path alone: the query of a GET is the request.
      deps.logger.error({ err: error, path: pathOf(request) }, "request failed");
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  };
}

/** A request that has an id. */
interface Exchange {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly requestId: string;
}

async function enter(
  deps: EntranceDeps,
  origins: ReadonlySet<string>,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  const requestId = requestIdOf(request);
  const exchange = { request, response, requestId };
  if (!isAuthority(authorityOf(request))) {
    refuse(exchange, 400, "MALFORMED_REQUEST", "bad Host or :authority");
    return;
  }
  if (request.headers.origin !== undefined && applyCors(origins, request, response)) return;
  const path = pathOf(request);
  const method = deps.unaryMethods.get(path);
  if (method !== undefined) {
    const format = formatFor(method, exchange);
    if (format === undefined) return;
    await deps.serveUnary({ method, format, request, response, requestId });
    return;
  }
  const takesType = deps.streams.get(path);
  if (takesType !== undefined) {
    if (!isStream(takesType, exchange)) return;
    request.headers["x-request-id"] = requestId;
    response.setHeader("x-request-id", requestId);
    await deps.serveStream(request, response);
    return;
  }
  const page = deps.httpRoutes.get(path);
  if (page !== undefined) {
    response.setHeader("x-request-id", requestId);
    await page(request, response);
    return;
  }
  const [, service = ""] = path.split("/");
  const role = deps.rolesElsewhere.get(service);
  if (role !== undefined) {
    const message = `${service} is served by instances that have ${role} in ROLES: this one doesn't`;
    refuse(exchange, 501, "UNIMPLEMENTED", message);
    return;
  }
  refuse(exchange, 404, "UNIMPLEMENTED", "there is nothing at this path");
}

/** The format to serve a unary call in; if there is none the request has been answered. */
function formatFor(method: UnaryMethod, exchange: Exchange): WireFormat | undefined {
  const { request } = exchange;
  if (request.method === "POST") {
    const format = formatOf(request.headers["content-type"]);
    if (format === undefined) {
      const help = "send the header `content-type: application/json`";
      refuseType(exchange, UNARY_CONTENT_TYPES, `: ${help}`);
    }
    return format;
  }
  if (request.method === "GET" && method.allowsGet) {
    const encoding = encodingFromQuery(request);
    if (encoding === "json") return CONNECT_JSON;
    if (encoding === "proto") return CONNECT_PROTO;
    const message =
      "the query names no encoding: send `?encoding=json&message=…`, the message percent-encoded";
    refusePlainly(exchange, 415, "MALFORMED_REQUEST", message);
    return undefined;
  }
  refuseVerb(exchange, method.allowsGet ? ["GET", "POST"] : ["POST"]);
  return undefined;
}

/** Whether it's a call of a stream; if it isn't the request has been answered. */
function isStream(takesType: (type: string | null) => boolean, exchange: Exchange): boolean {
  const { request } = exchange;
  if (request.method !== "POST") {
    refuseVerb(exchange, ["POST"]);
    return false;
  }
  if (takesType(request.headers["content-type"] ?? null)) return true;
  const help = `, and this is a stream, which takes ${STREAM_CONTENT_TYPES}`;
  refuseType(exchange, STREAM_CONTENT_TYPES, `${help}: use the SDK or a gRPC client`);
  return false;
}

function refuseType(exchange: Exchange, accepted: string, help: string): void {
  const type = exchange.request.headers["content-type"]?.slice(0, 60);
  const what = type ? `the content type is ${JSON.stringify(type)}` : "there is no content type";
  exchange.response.setHeader("accept-post", accepted);
  refusePlainly(exchange, 415, "MALFORMED_REQUEST", what + help);
}

function refuseVerb(exchange: Exchange, allowed: readonly string[]): void {
  exchange.response.setHeader("allow", allowed.join(", "));
  const message = `${exchange.request.method} isn't taken here: use ${allowed.join(" or ")}`;
  refusePlainly(exchange, 405, "UNIMPLEMENTED", message);
}

/**
 * Refuses what isn't an RPC in any protocol: HTTP's status tells it, from which clients make the
 * code "unknown", and the body tells people what would do. Clients of gRPC don't read it.
 */
function refusePlainly(
  { request, response, requestId }: Exchange,
  status: 405 | 415,
  reason: RefusalReason,
  message: string,
): void {
  request.resume();
  const { rawMessage, details } = toConnectError(new ServiceError(reason, { message }), requestId);
  const error = new ConnectError(rawMessage, Code.Unknown);
  error.details = details;
  sendError(response, PLAIN_JSON, error, { "x-request-id": requestId }, status);
}

type RefusalReason = "MALFORMED_REQUEST" | "UNIMPLEMENTED";

function refuse(
  { request, response, requestId }: Exchange,
  status: number,
  reason: RefusalReason,
  message: string,
): void {
  request.resume();
  const error = toConnectError(new ServiceError(reason, { message }), requestId);
  const format = formatOf(request.headers["content-type"]) ?? CONNECT_JSON;
  sendError(response, format, error, { "x-request-id": requestId }, status);
}

function authorityOf(request: HttpRequest): string | undefined {
  return (request as unknown as Http2ServerRequest).authority ?? request.headers.host;
}

/** Guards Connect's `new URL()`, whose exception would end the process. */
function isAuthority(authority: string | undefined): boolean {
  return (
    authority !== undefined &&
    /^[\w.~%:[\]-]+$/.test(authority) &&
    URL.canParse(`http://${authority}`)
  );
}

function requestIdOf(request: HttpRequest): string {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && /^[!-~]{1,128}$/.test(given) ? given : randomUUID();
}
