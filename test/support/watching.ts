import { createClient, type Client, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import type { DescService } from "@bufbuild/protobuf";

/** A client of one service, with a key, in any of the ways to be called. */
export type MakeClient = <S extends DescService>(service: S, url: string, key: string) => Client<S>;

type Options = Pick<Parameters<typeof createGrpcTransport>[0], "baseUrl" | "interceptors">;

function over(transport: (options: Options) => Transport): MakeClient {
  return (service, baseUrl, key) =>
    createClient(
      service,
      transport({
        baseUrl,
        interceptors: [
          (next) => (request) => {
            request.header.set("authorization", `Bearer ${key}`);
            return next(request);
          },
        ],
      }),
    );
}

/** Every way in which a stream can be opened. */
export const STREAM_CLIENTS: Readonly<Record<string, MakeClient>> = {
  "Connect with JSON on HTTP/1.1": over((options) =>
    createConnectTransport({ ...options, httpVersion: "1.1", useBinaryFormat: false }),
  ),
  "Connect on HTTP/2": over((options) => createConnectTransport({ ...options, httpVersion: "2" })),
  gRPC: over(createGrpcTransport),
  "gRPC-Web": over((options) => createGrpcWebTransport({ ...options, httpVersion: "1.1" })),
};

/** What is heard of a stream, heartbeats left out. */
export interface Heard<T> {
  readonly messages: T[];
  /** Resolves at the end of the stream; rejects with its error. */
  readonly ended: Promise<void>;
  readonly leave: () => void;
}

/** Listens until the stream ends or one leaves. */
export function listen<T extends object>(
  open: (options: { readonly signal: AbortSignal }) => AsyncIterable<T>,
): Heard<T> {
  const leaving = new AbortController();
  const messages: T[] = [];
  async function hear(): Promise<void> {
    for await (const message of open({ signal: leaving.signal })) {
      const isHeartbeat = Object.keys(message).every((name) => name === "$typeName");
      if (!isHeartbeat) messages.push(message);
    }
  }
  const ended = hear();
  ended.catch(() => undefined);
  return { messages, ended, leave: () => leaving.abort() };
}
