import { type RequestListener, type ServerResponse, createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { listen } from "./listen.ts";

/** Throws, with a reason for operators, if that part isn't ready. */
export type ReadinessCheck = (signal: AbortSignal) => Promise<void>;

/** What the operators' server needs. */
export interface AdminServerOptions {
  readonly host: string;
  readonly port: number;
  /** All must pass for `/readyz` to answer 200. */
  readonly checks: Readonly<Record<string, ReadinessCheck>>;
  /** Told by `/readyz` beside them: parts without which calls are answered all the same. */
  readonly degraded?: () => Readonly<Record<string, string>>;
  /** The metrics in Prometheus's text format. */
  readonly metrics: { readonly contentType: string; metrics(): Promise<string> };
}

/** The server of /livez, /readyz and /metrics. */
export interface AdminServer {
  /** Returns the port. Throws StartupError if it can't be had. */
  readonly start: () => Promise<number>;
  readonly close: () => Promise<void>;
}

/** A check that takes longer counts as failed: what asks us gives up soon after. */
const CHECK_TIMEOUT_MS = 2_000;

/** For probes and Prometheus, on a port that users don't get to see. */
export function createAdminServer(options: AdminServerOptions): AdminServer {
  const answer: RequestListener = (request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      return send(response, 405, "only GET\n");
    }
    switch (request.url?.split("?")[0]) {
      case "/livez":
        return send(response, 200, "ok\n");
      case "/readyz":
        return void sendReadiness(response, options);
      case "/metrics":
        return void sendMetrics(response, options.metrics);
      default:
        return send(response, 404, "try /livez, /readyz or /metrics\n");
    }
  };
  const server = createServer({ headersTimeout: 5_000, requestTimeout: 10_000 }, answer);
  return {
    start: () => listen(server, { ...options, setting: "ADMIN_PORT" }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function sendReadiness(
  response: ServerResponse,
  { checks, degraded = () => ({}) }: AdminServerOptions,
): Promise<void> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      const timeout = new AbortController();
      const failure = await Promise.race([
        check(timeout.signal).then(
          () => undefined,
          (error: unknown) => (error instanceof Error ? error.message : String(error)),
        ),
        sleep(CHECK_TIMEOUT_MS, "took too long", { signal: timeout.signal }).catch(() => undefined),
      ]);
      timeout.abort();
      return [name, failure === undefined ? { ok: true } : { ok: false, error: failure }] as const;
    }),
  );
  const ready = results.every(([, { ok }]) => ok);
  const notes = degraded();
  const body = JSON.stringify({
    ready,
    checks: Object.fromEntries(results),
    ...(Object.keys(notes).length > 0 && { degraded: notes }),
  });
  send(response, ready ? 200 : 503, `${body}\n`, "application/json");
}

async function sendMetrics(
  response: ServerResponse,
  metrics: AdminServerOptions["metrics"],
): Promise<void> {
  try {
    send(response, 200, await metrics.metrics(), metrics.contentType);
  } catch (error) {
    send(response, 500, `${String(error)}\n`);
  }
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  contentType = "text/plain; charset=utf-8",
): void {
  response.writeHead(status, {
    "content-type": contentType,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
  });
  response.end(body);
}
