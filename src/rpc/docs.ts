import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { EXAMPLE_KEY_PREFIX, EXAMPLE_VALUES } from "./docs-examples.ts";

/** Answers one path, over HTTP/1.1 or through Node's compatibility API for HTTP/2. */
export type DocsHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** What the examples are about; where a value is absent its placeholder stays. */
export type DocsExamples = Readonly<Partial<Record<keyof typeof EXAMPLE_VALUES, string>>>;

const JAVASCRIPT = "text/javascript; charset=utf-8";
const CSS = "text/css; charset=utf-8";

// Nothing from elsewhere. Swagger UI sets styles from its script and has images in its CSS.
const SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/**
 * The API reference: OpenAPI 3.1 at /v3/api-docs and Swagger UI at /swagger-ui.html, all of it from
 * this host. Returns the handlers by exact path; throws if a file isn't there.
 */
export function docsRoutes(deps: { examples: DocsExamples }): ReadonlyMap<string, DocsHandler> {
  const openApi = withExamples(ownFile("../../gen/openapi.json").toString(), deps.examples);
  const icon = file("image/png", distFile("favicon-32x32.png"));
  return new Map([
    ["/", redirect("/swagger-ui.html")],
    ["/swagger-ui.html", file("text/html; charset=utf-8", ownFile("swagger-ui/page.html"))],
    ["/swagger-ui/page.css", file(CSS, ownFile("swagger-ui/page.css"))],
    ["/swagger-ui/page.js", file(JAVASCRIPT, ownFile("swagger-ui/page.js"))],
    ["/swagger-ui/swagger-ui.css", file(CSS, distFile("swagger-ui.css"))],
    ["/swagger-ui/swagger-ui-bundle.js", file(JAVASCRIPT, distFile("swagger-ui-bundle.js"))],
    ["/swagger-ui/favicon-32x32.png", icon],
    // Browsers ask for it beside whatever isn't a page.
    ["/favicon.ico", icon],
    ["/v3/api-docs", document(openApi)],
  ]);
}

function ownFile(path: string): Buffer {
  return readFileSync(new URL(`./${path}`, import.meta.url));
}

function distFile(name: string): Buffer {
  return readFileSync(new URL(import.meta.resolve(`swagger-ui-dist/${name}`)));
}

function withExamples(openApi: string, examples: DocsExamples): string {
  return Object.entries(examples).reduce((text, [name, value]) => {
    const placeholder = EXAMPLE_VALUES[name as keyof DocsExamples];
    return text.replaceAll(placeholder, () => value);
  }, openApi);
}

/** The document with new idempotency keys each time, so that a first try isn't a replay. */
function document(openApi: string): DocsHandler {
  return onlyReads((request, response) => {
    const keys = new Map<string, string>();
    const body = openApi.replaceAll(new RegExp(`${EXAMPLE_KEY_PREFIX}[\\w-]+`, "g"), (name) => {
      if (!keys.has(name)) keys.set(name, randomUUID());
      return keys.get(name)!;
    });
    response.setHeader("cache-control", "no-store");
    send(request, response, "application/json", Buffer.from(body));
  });
}

/** A file that a browser keeps, but asks each time whether it is still the same. */
function file(type: string, body: Buffer): DocsHandler {
  const tag = `"${createHash("sha256").update(body).digest("base64url")}"`;
  return onlyReads((request, response) => {
    response.setHeader("cache-control", "no-cache");
    response.setHeader("etag", tag);
    if (request.headers["if-none-match"] !== tag) return send(request, response, type, body);
    response.writeHead(304).end();
  });
}

function redirect(location: string): DocsHandler {
  return onlyReads((_, response) => {
    response.writeHead(302, { location }).end();
  });
}

function onlyReads(handler: DocsHandler): DocsHandler {
  return (request, response) => {
    if (request.method === "GET" || request.method === "HEAD") return handler(request, response);
    response.writeHead(405, { allow: "GET, HEAD" }).end();
  };
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  type: string,
  body: Buffer,
): void {
  response.writeHead(200, {
    "content-type": type,
    "content-length": body.length,
    "content-security-policy": SECURITY_POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  });
  response.end(request.method === "HEAD" ? undefined : body);
}
