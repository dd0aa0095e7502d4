import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";

/** A request of HTTP/1.1, or of HTTP/2 through Node's compatibility API. */
export type HttpRequest = IncomingMessage;

/** The answer to an HttpRequest. */
export type HttpResponse = ServerResponse;

/** Answers one HTTP request; it must end the response. */
export type HttpHandler = (request: HttpRequest, response: HttpResponse) => void | Promise<void>;

/** Header fields of an answer, names in lower case. */
export type HttpHeaders = OutgoingHttpHeaders;

/** The path of a request without its query. */
export function pathOf(request: HttpRequest): string {
  const url = request.url ?? "";
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}

/** The query of a request without its question mark; empty if there is none. */
export function queryOf(request: HttpRequest): string {
  const url = request.url ?? "";
  const query = url.indexOf("?");
  return query === -1 ? "" : url.slice(query + 1);
}
