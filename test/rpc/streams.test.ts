import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { KEY } from "../support/echo-server.ts";
import { startStreams, Streams, type StreamServer } from "../support/stream-server.ts";

const AUTHORIZED = { authorization: KEY };

let server: StreamServer;
beforeAll(async () => {
  server = await startStreams();
});
afterAll(() => server.close());
beforeEach(() => void server.observed.splice(0));

const transports: Record<string, (baseUrl: string) => Transport> = {
  "Connect h1": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect h2": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" }),
  gRPC: (baseUrl) => createGrpcTransport({ baseUrl }),
  "gRPC-Web": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
};

describe.each(Object.entries(transports))("A stream over %s", (_, transport) => {
  async function listen(value: string, headers: Record<string, string> = AUTHORIZED) {
    const client = createClient(Streams, transport(server.url));
    const heard: string[] = [];
    for await (const answer of client.say({ value }, { headers })) {
      heard.push(answer.value);
    }
    return heard;
  }

  test("knows its caller", async () => {
    expect(await listen("")).toEqual(["owner-1"]);
    expect(server.observed).toEqual([{ method: "test.v1.Streams/Say", code: "ok" }]);
  });

  test("isn't opened without a key", async () => {
    await expect(listen("", { authorization: "Bearer nope" })).rejects.toThrow("[unauthenticated]");
    expect(server.observed).toEqual([{ method: "test.v1.Streams/Say", code: "unauthenticated" }]);
  });

  test("ends with the implementation's error", async () => {
    await expect(listen("refuse")).rejects.toThrow("[resource_exhausted]");
    await expect(listen("throw")).rejects.toThrow("[internal] internal error");
    expect(JSON.stringify(server.log())).toContain("hunter2");
  });

  test("ends at the caller's deadline even if the implementation hangs", async () => {
    const startMs = performance.now();
    // As headers, so that the client doesn't end the call by itself.
    const headers = { ...AUTHORIZED, "grpc-timeout": "200m", "connect-timeout-ms": "200" };
    await expect(listen("hang", headers)).rejects.toThrow("[deadline_exceeded]");
    expect(performance.now() - startMs).toBeLessThan(3_000);
    expect(server.observed.at(-1)?.code).toBe("deadline_exceeded");
  });

  test("is ended once its key works no more", async () => {
    const before = server.ended();
    const heard = listen("go on", { authorization: `Bearer until-${performance.now() + 500}` });
    await expect(heard).rejects.toThrow("[unauthenticated]");
    expect(server.observed.at(-1)?.code).toBe("unauthenticated");
    await expect.poll(() => server.ended(), { timeout: 5_000 }).toBe(before + 1);
  });

  test("is ended for a caller who leaves", async () => {
    const before = server.ended();
    const client = createClient(Streams, transport(server.url));
    const leaving = new AbortController();
    const options = { headers: AUTHORIZED, signal: leaving.signal };
    const stream = client.say({ value: "go on" }, options)[Symbol.asyncIterator]();
    for (const _ of "12") await stream.next();
    leaving.abort();
    await expect.poll(() => server.observed.at(-1)?.code, { timeout: 5_000 }).toBe("canceled");
    await expect.poll(() => server.ended(), { timeout: 5_000 }).toBe(before + 1);
  });
});

test("a bad request is refused on a stream as on other calls", async () => {
  const session = connectHttp2(server.url);
  const headers = { authorization: KEY, "content-type": "application/grpc", ":method": "POST" };
  for (const [body, extra, code] of [
    ["\0\0\0\0\x03\xff\xff\xff", {}, "3"],
    ["\0\0\0\0\0", { "grpc-timeout": "5x" }, "3"],
    ["\0\0\x02\0\0", {}, "8"],
    ["", {}, "12"],
  ] as const) {
    const stream = session.request({ ...headers, ":path": "/test.v1.Streams/Say", ...extra });
    stream.end(Buffer.from(body, "latin1"));
    stream.resume();
    const [trailers] = await once(stream, "trailers");
    expect(trailers["grpc-status"]).toBe(code);
    expect(trailers["grpc-status-details-bin"]).toBeDefined();
  }
  session.close();
});

test.each([
  ["without a key", {}],
  ["with too large a message", AUTHORIZED],
])("streams refused %s don't use up a connection", async (_, authorization) => {
  const session = connectHttp2(server.url);
  const headers = { ...authorization, "content-type": "application/grpc", ":method": "POST" };
  for (let round = 0; round < 200; round += 1) {
    const stream = session.request({ ...headers, ":path": "/test.v1.Streams/Say" });
    stream.end(Buffer.alloc(100_000, 1));
    stream.resume();
    await once(stream, "close");
  }
  session.close();
});
