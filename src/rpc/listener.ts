import { readFile } from "node:fs/promises";
import { createServer as createHttp1Server, type Server as Http1Server } from "node:http";
import {
  createServer as createHttp2Server,
  type Http2Server,
  type ServerHttp2Session,
} from "node:http2";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { listen } from "../platform/listen.ts";
import type { Logger } from "../platform/logger.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";
import type { RpcLimits } from "./limits.ts";

/** PEM files of a server that speaks TLS. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** What a listener needs. */
export interface ListenerOptions {
  readonly host: string;
  /** 0 for a free one. */
  readonly port: number;
  readonly tls: TlsFiles | undefined;
  readonly limits: RpcLimits;
  readonly logger: Logger;
  readonly onRequest: (request: HttpRequest, response: HttpResponse) => void;
}

/** One port that speaks HTTP/1.1 and HTTP/2. */
export interface Listener {
  /** Resolves once connections are accepted. Throws StartupError if the port can't be had. */
  start(): Promise<{ host: string; port: number }>;
  /**
   * Accepts no more, lets what is under way finish, and cuts what isn't done after `graceMs`.
   * Resolves when every connection is closed.
   */
  close(graceMs: number): Promise<void>;
}

/** How long a connection may take to show which protocol it speaks, or for its TLS handshake. */
const HELLO_TIMEOUT_MS = 3_000;

/**
 * Makes the listener. In cleartext the first bytes of a connection tell its protocol, under TLS
 * it's ALPN.
 */
export function createListener(options: ListenerOptions): Listener {
  const sockets = new Set<Socket>();
  // Connections that haven't shown yet which protocol they speak.
  const unknown = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  const http1 = createHttp1(options);
  const http2 = createHttp2(options, sessions);
  let front: Server | undefined;

  return {
    async start() {
      // Servers that never listen themselves enforce no header time-out without this.
      http1.emit("listening");
      front = await createFront(options, unknown, (isHttp2) => (isHttp2 ? http2 : http1));
      front.on("connection", (socket) => {
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
      });
      const { host } = options;
      return { host, port: await listen(front, { host, port: options.port, setting: "PORT" }) };
    },
    async close(graceMs) {
      if (front === undefined) return;
      const closed = new Promise<void>((resolve) => front?.close(() => resolve()));
      // A connection that has done its last call is closed at once instead of kept alive.
      http1.keepAliveTimeout = 1;
      http1.close();
      for (const session of sessions) session.close();
      for (const socket of unknown) socket.destroy();
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

function createHttp1({ limits, onRequest }: ListenerOptions): Http1Server {
  const server = createHttp1Server(
    {
      headersTimeout: limits.headersTimeoutMs,
      // Counted from the first byte, while unary calls count their body from the headers on.
      requestTimeout: limits.bodyTimeoutMs + 1_000,
      connectionsCheckingInterval: 500,
      keepAliveTimeout: limits.idleTimeoutMs,
      maxHeaderSize: limits.maxHeaderBytes,
      noDelay: true,
    },
    onRequest,
  );
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket & Answering) => {
    // What came after a request that is at work isn't the answer to it.
    // oxlint-disable-next-line no-underscore-dangle -- Node tells this nowhere else
    if (!socket.writable || socket._httpMessage?.req.complete) socket.destroy();
    else socket.end(plainAnswer(error.code), () => socket.destroy());
  });
  return server;
}

/** Where Node keeps the answer that a connection waits for. */
interface Answering {
  readonly _httpMessage?: HttpResponse;
}

const PLAIN_ANSWERS: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
};

function plainAnswer(code = ""): string {
  return `HTTP/1.1 ${PLAIN_ANSWERS[code] ?? "400 Bad Request"}\r\nConnection: close\r\n\r\n`;
}

function createHttp2(options: ListenerOptions, sessions: Set<ServerHttp2Session>): Http2Server {
  const { limits, logger, onRequest } = options;
  const server = createHttp2Server({
    settings: {
      maxConcurrentStreams: limits.maxStreamsPerConnection,
      maxHeaderListSize: limits.maxHeaderBytes,
    },
  });
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.setTimeout(limits.idleTimeoutMs, () => session.close());
  });
  server.on("sessionError", (err: Error) => logger.debug({ err }, "HTTP/2 session failed"));
  // The compatibility objects keep to the same interface in all that is used here.
  server.on("request", onRequest as unknown as Parameters<typeof createHttp2Server>[1] & object);
  return server;
}

async function createFront(
  { tls, logger }: ListenerOptions,
  unknown: Set<Socket>,
  serverFor: (isHttp2: boolean) => Server,
): Promise<Server> {
  const onError = (err: Error): void => logger.debug({ err }, "connection failed");
  if (tls === undefined) {
    return createTcpServer({ noDelay: true }, (socket) => {
      socket.on("error", onError);
      unknown.add(socket);
      socket.once("close", () => unknown.delete(socket));
      sniff(socket, (isHttp2) => {
        unknown.delete(socket);
        serverFor(isHttp2).emit("connection", socket);
      });
    });
  }
  const [cert, key] = await Promise.all([readFile(tls.certFile), readFile(tls.keyFile)]);
  const server = createTlsServer({
    cert,
    key,
    ALPNProtocols: ["h2", "http/1.1"],
    handshakeTimeout: HELLO_TIMEOUT_MS,
    noDelay: true,
  });
  server.on("tlsClientError", onError);
  server.on("secureConnection", (socket: TLSSocket) => {
    socket.on("error", onError);
    serverFor(socket.alpnProtocol === "h2").emit("connection", socket);
  });
  return server;
}

/**
 * Reads until it's clear whether the connection starts with HTTP/2's preface, then hands the
 * socket on with these bytes back in it. Answers 408 if that takes too long.
 */
function sniff(socket: Socket, handOn: (isHttp2: boolean) => void): void {
  let seen = Buffer.alloc(0);
  const timer = setTimeout(
    () => socket.end(plainAnswer("ERR_HTTP_REQUEST_TIMEOUT"), () => socket.destroy()),
    HELLO_TIMEOUT_MS,
  );
  const onReadable = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    seen = Buffer.concat([seen, chunk]);
    const start = seen.toString("latin1", 0, 3);
    if ("PRI".startsWith(start) && start.length < 3) return;
    done();
    socket.unshift(seen);
    handOn(start === "PRI");
  };
  const done = (): void => {
    clearTimeout(timer);
    socket.off("readable", onReadable);
    socket.off("close", done);
  };
  socket.on("readable", onReadable);
  socket.on("close", done);
}
