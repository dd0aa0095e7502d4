import { request as http1Request, type IncomingHttpHeaders } from "node:http";
import { connect as connectHttp2 } from "node:http2";

/** A request to send as it is. */
export interface HttpExchange {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** An answer in whole. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

/** Sends over HTTP/1.1 on a connection of its own. */
export function sendHttp1(url: string, exchange: HttpExchange): Promise<HttpAnswer> {
  const { method = "POST", path, headers = {}, body } = exchange;
  return new Promise((resolve, reject) => {
    const request = http1Request(url + path, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          trailers: response.trailers,
          body: Buffer.concat(chunks),
        }),
      );
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** Sends over HTTP/2 without TLS on a connection of its own. */
export function sendHttp2(url: string, exchange: HttpExchange): Promise<HttpAnswer> {
  const { method = "POST", path, headers = {}, body } = exchange;
  const session = connectHttp2(url);
  return new Promise<HttpAnswer>((resolve, reject) => {
    session.on("error", reject);
    const stream = session.request({
      ":method": method,
      ":path": path,
      te: "trailers",
      ...headers,
    });
    const received: Record<string, string> = {};
    const trailers: Record<string, string> = {};
    const chunks: Buffer[] = [];
    stream.on("response", (head) => Object.assign(received, head));
    stream.on("trailers", (fields) => Object.assign(trailers, fields));
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => {
      const status = received[":status"];
      if (status === undefined) reject(new Error("the stream was cut"));
      else
        resolve({
          status: Number(status),
          headers: received,
          trailers,
          body: Buffer.concat(chunks),
        });
    });
    stream.end(body);
  }).finally(() => session.close());
}
