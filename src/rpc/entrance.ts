import { randomUUID } from "node:crypto";
import type { Http2ServerRequest } from "node:http2";
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
  sendError,
  UNARY_CONTENT_TYPES,
  type WireFormat,
} from "./wire-format.ts";

/** Where requests go. */
export interface EntranceDeps {
  readonly corsOrigins: readonly string[];
  /** Pages by their exact path; they need no key. */
  readonly httpRoutes: ReadonlyMap<string, HttpHandler>;
  readonly unaryMethods: ReadonlyMap<string, UnaryMethod>;
  readonly streamPaths: ReadonlySet<string>;
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

async function enter(
  deps: EntranceDeps,
  origins: ReadonlySet<string>,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  const requestId = requestIdOf(request);
  if (!isAuthority(authorityOf(request))) {
    refuse(request, response, requestId, 400, "MALFORMED_REQUEST", "bad Host or :authority");
    return;
  }
  if (request.headers.origin !== undefined && applyCors(origins, request, response)) return;
  const path = pathOf(request);
  const method = deps.unaryMethods.get(path);
  if (method !== undefined) {
    const format = formatFor(method, request, response, requestId);
    if (format === undefined) return;
    await deps.serveUnary({ method, format, request, response, requestId });
    return;
  }
  if (deps.streamPaths.has(path)) {
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
    refuse(request, response, requestId, 501, "UNIMPLEMENTED", message);
    return;
  }
  refuse(request, response, requestId, 404, "UNIMPLEMENTED", "there is nothing at this path");
}

/** The format to serve a unary call in; if there is none the request has been answered. */
function formatFor(
  method: UnaryMethod,
  request: HttpRequest,
  response: HttpResponse,
  requestId: string,
): WireFormat | undefined {
  if (request.method === "POST") {
    const format = formatOf(request.headers["content-type"]);
    if (format === undefined) {
      response.setHeader("accept-post", UNARY_CONTENT_TYPES);
      refusePlainly(request, response, requestId, 415, "unsupported content type");
    }
    return format;
  }
  if (request.method === "GET" && method.allowsGet) {
    const encoding = encodingFromQuery(request);
    if (encoding === "json") return CONNECT_JSON;
    if (encoding === "proto") return CONNECT_PROTO;
    refusePlainly(request, response, requestId, 415, "unsupported encoding");
    return undefined;
  }
  response.setHeader("allow", method.allowsGet ? "GET, POST" : "POST");
  refusePlainly(request, response, requestId, 405, "method not allowed");
  return undefined;
}

/** In no RPC's form, as the protocols want it of what isn't an RPC: HTTP's status tells all. */
function refusePlainly(
  request: HttpRequest,
  response: HttpResponse,
  requestId: string,
  status: number,
  message: string,
): void {
  request.resume();
  response.writeHead(status, { "content-type": "text/plain", "x-request-id": requestId });
  response.end(`${message}\n`);
}

function refuse(
  request: HttpRequest,
  response: HttpResponse,
  requestId: string,
  status: number,
  reason: "MALFORMED_REQUEST" | "UNIMPLEMENTED",
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
