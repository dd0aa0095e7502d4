import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { create, createFileRegistry } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  file_google_protobuf_wrappers,
  type StringValueSchema,
} from "@bufbuild/protobuf/wkt";
import { createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import type { GenService } from "@bufbuild/protobuf/codegenv2";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ServiceError } from "../../src/kernel/errors.ts";
import { callOf } from "../../src/rpc/call.ts";
import { KEY, startEchoServer, type EchoServer } from "../support/echo-server.ts";

type Text = typeof StringValueSchema;

const text = ".google.protobuf.StringValue";
const Streams = createFileRegistry(
  create(FileDescriptorProtoSchema, {
    name: "test/v1/streams.proto",
    package: "test.v1",
    syntax: "proto3",
    dependency: ["google/protobuf/wrappers.proto"],
    service: [
      {
        name: "Streams",
        method: [{ name: "Say", inputType: text, outputType: text, serverStreaming: true }],
      },
    ],
  }),
  () => file_google_protobuf_wrappers,
).getService("test.v1.Streams") as unknown as GenService<{
  say: { methodKind: "server_streaming"; input: Text; output: Text };
}>;

const AUTHORIZED = { authorization: KEY };

let server: EchoServer;
let ended = 0;
const observed: { method: string; code: string }[] = [];
beforeAll(async () => {
  server = await startEchoServer({
    services: [Streams],
    scopeOf: () => "payments:read",
    observe: ({ method, code }) => observed.push({ method, code }),
    routes: (router) => {
      router.service(Streams, {
        async *say({ value }, context) {
          try {
            yield { value: callOf(context).principal.ownerId };
            if (value === "refuse") throw new ServiceError("OVERLOADED", { retryAfterMs: 5_000 });
            if (value === "throw") throw new Error("the password is hunter2");
            if (value === "hang") await new Promise(() => undefined);
            const rounds = value === "go on" ? 10_000 : 0;
            for (let i = 0; i < rounds; i += 1) {
              yield { value };
              await sleep(5);
            }
          } finally {
            ended += 1;
          }
        },
      });
    },
  });
});
afterAll(() => server.close());
beforeEach(() => void observed.splice(0));

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
    expect(observed).toEqual([{ method: "test.v1.Streams/Say", code: "ok" }]);
  });

  test("isn't opened without a key", async () => {
    await expect(listen("", { authorization: "Bearer nope" })).rejects.toThrow("[unauthenticated]");
    expect(observed).toEqual([{ method: "test.v1.Streams/Say", code: "unauthenticated" }]);
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
    expect(observed.at(-1)?.code).toBe("deadline_exceeded");
  });

  test("is ended for a caller who leaves", async () => {
    const before = ended;
    const client = createClient(Streams, transport(server.url));
    const leaving = new AbortController();
    const options = { headers: AUTHORIZED, signal: leaving.signal };
    const stream = client.say({ value: "go on" }, options)[Symbol.asyncIterator]();
    for (const _ of "12") await stream.next();
    leaving.abort();
    await expect.poll(() => ended, { timeout: 5_000 }).toBe(before + 1);
    expect(observed.at(-1)?.code).toBe("canceled");
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
