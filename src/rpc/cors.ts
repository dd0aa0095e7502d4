import { cors } from "@connectrpc/connect";
import type { HttpRequest, HttpResponse } from "./http.ts";

const ALLOWED_METHODS = cors.allowedMethods.join(", ");
const ALLOWED_HEADERS = [
  ...cors.allowedHeaders,
  "Authorization",
  "Idempotency-Key",
  "Traceparent",
  "X-Request-Id",
].join(", ");
const EXPOSED_HEADERS = [...cors.exposedHeaders, "Retry-After", "X-Request-Id"].join(", ");
const PREFLIGHT_MAX_AGE_SECONDS = 7_200;

/**
 * Adds the CORS headers for a request of a web page, if its origin is one of `origins` ("*" allows
 * all). True if the request was a preflight: then it has been answered.
 */
export function applyCors(
  origins: ReadonlySet<string>,
  request: HttpRequest,
  response: HttpResponse,
): boolean {
  const { origin } = request.headers;
  if (origin === undefined || origins.size === 0) return false;
  const isAllowed = origins.has(origin) || origins.has("*");
  response.setHeader("vary", "origin");
  if (isAllowed) {
    response.setHeader("access-control-allow-origin", origin);
    response.setHeader("access-control-expose-headers", EXPOSED_HEADERS);
  }
  const isPreflight = "access-control-request-method" in request.headers;
  if (request.method !== "OPTIONS" || !isPreflight) return false;
  if (isAllowed) {
    response.setHeader("access-control-allow-methods", ALLOWED_METHODS);
    response.setHeader("access-control-allow-headers", ALLOWED_HEADERS);
    response.setHeader("access-control-max-age", PREFLIGHT_MAX_AGE_SECONDS);
  }
  response.writeHead(204);
  response.end();
  return true;
}
