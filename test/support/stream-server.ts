import { setTimeout as sleep } from "node:timers/promises";
import { create, createFileRegistry, toBinary } from "@bufbuild/protobuf";
import type { GenService } from "@bufbuild/protobuf/codegenv2";
import {
  FileDescriptorProtoSchema,
  file_google_protobuf_wrappers,
  StringValueSchema,
} from "@bufbuild/protobuf/wkt";
import { ServiceError } from "../../src/kernel/errors.ts";
import type { Scope } from "../../src/kernel/principal.ts";
import { callOf } from "../../src/rpc/call.ts";
import type { RpcLimits } from "../../src/rpc/limits.ts";
import { KEY, startEchoServer, type EchoServer } from "./echo-server.ts";

type Text = typeof StringValueSchema;

const text = ".google.protobuf.StringValue";
/** A service with a stream. */
export const Streams = createFileRegistry(
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

/** A request of gRPC. */
export function frameOf(value: string): Buffer {
  const message = toBinary(StringValueSchema, create(StringValueSchema, { value }));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The edge with that service behind it. */
export interface StreamServer extends EchoServer {
  /** The calls that ended. */
  readonly observed: { method: string; code: string }[];
  /** How many implementations have ended. */
  readonly ended: () => number;
}

/**
 * Starts it. What is said decides: `refuse` and `throw` do that, `hang` never answers, `go on` answers
 * for long, `flood` as fast as can be; anything else ends. A key `until-…` works until then; `of-…`
 * is one of that owner, all others are of owner-1.
 */
export async function startStreams(limits: Partial<RpcLimits> = {}): Promise<StreamServer> {
  const observed: StreamServer["observed"] = [];
  let ended = 0;
  const started = await startEchoServer({
    limits,
    async authenticate(header) {
      const [, untilMs = 0] = /^Bearer until-(.*)$/.exec(header ?? "") ?? [];
      const [, ownerId] = /^Bearer of-(.*)$/.exec(header ?? "") ?? [];
      const isKnown = header === KEY || ownerId || performance.now() < Number(untilMs);
      const scopes = new Set<Scope>(["payments:read"]);
      return isKnown ? { ownerId: ownerId ?? "owner-1", scopes } : undefined;
    },
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
            const flood = "x".repeat(10_000);
            for (let i = 0; i < (value === "flood" ? 1e6 : 0); i++) yield { value: flood };
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
  return { ...started, observed, ended: () => ended };
}
