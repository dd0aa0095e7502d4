// What ends the streams of callers, besides their implementations and their callers.
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { KEY } from "../support/echo-server.ts";
import { frameOf, startStreams, Streams, type StreamServer } from "../support/stream-server.ts";

const AUTHORIZED = { authorization: KEY };

async function readOn(stream: AsyncIterator<unknown>): Promise<void> {
  while (!(await stream.next()).done);
}

test("a stream is interrupted when it has lasted for long enough", async () => {
  const short = await startStreams({ maxStreamMs: 300 });
  const client = createClient(Streams, createGrpcTransport({ baseUrl: short.url }));
  const stream = client.say({ value: "go on" }, { headers: AUTHORIZED })[Symbol.asyncIterator]();
  await expect(readOn(stream)).rejects.toThrow("[unavailable] The stream has lasted");
  await short.close();
});

/** Opens streams, each until one leaves it. */
function opener({ url }: StreamServer) {
  const client = createClient(Streams, createGrpcTransport({ baseUrl: url }));
  return (authorization = KEY) => {
    const leaving = new AbortController();
    const options = { headers: { authorization }, signal: leaving.signal };
    const stream = client.say({ value: "go on" }, options)[Symbol.asyncIterator]();
    return { stream, leave: () => leaving.abort() };
  };
}

test("more streams than the limit are refused as overloaded, until one has ended", async () => {
  const small = await startStreams({ maxConcurrentStreams: 2 });
  const open = opener(small);
  const [first, second] = [open(), open()];
  for (const { stream } of [first, second]) await stream.next();
  const refused = open().stream.next();
  await expect(refused).rejects.toThrow("[resource_exhausted] too many streams are open");
  first.leave();
  await expect
    .poll(
      () =>
        open()
          .stream.next()
          .catch(() => undefined),
      { timeout: 5_000 },
    )
    .toBeDefined();
  second.leave();
  await small.close();
});

test("more streams than an owner may have are refused, whatever its keys, and others find room", async () => {
  const shared = await startStreams({ maxStreamsPerOwner: 2 });
  const open = opener(shared);
  const [first, second] = [open(), open(`Bearer until-${performance.now() + 60_000}`)];
  for (const { stream } of [first, second]) await stream.next();
  const refusal = await open()
    .stream.next()
    .catch((error: unknown) => ConnectError.from(error));
  expect(refusal).toMatchObject({
    code: Code.ResourceExhausted,
    rawMessage: expect.stringContaining("has 2"),
  });
  expect((refusal as ConnectError).findDetails(RetryInfoSchema)).toHaveLength(1);
  const other = open("Bearer of-owner-2");
  expect((await other.stream.next()).value).toMatchObject({ value: "owner-2" });
  first.leave();
  const again = () => open().stream.next();
  await expect.poll(() => again().catch(() => undefined), { timeout: 5_000 }).toBeDefined();
  for (const { leave } of [second, other]) leave();
  await shared.close();
});

test("who doesn't read is told so if it reads on, and cut off if it doesn't", async () => {
  const messageTimeoutMs = 500;
  const impatient = await startStreams({ messageTimeoutMs });
  const session = connectHttp2(impatient.url);
  const [late, never] = ["late", "never"].map(() => {
    const path = { ":method": "POST", ":path": "/test.v1.Streams/Say" };
    const stream = session.request({ ...path, ...AUTHORIZED, "content-type": "application/grpc" });
    stream.on("error", () => undefined);
    stream.end(frameOf("flood"));
    return stream;
  });
  // Ended while nobody reads: nothing is kept for them.
  await expect.poll(() => impatient.ended(), { timeout: 5_000 }).toBe(2);
  expect(impatient.observed.map(({ code }) => code)).toEqual([
    "resource_exhausted",
    "resource_exhausted",
  ]);
  late!.resume();
  const [trailers] = await once(late!, "trailers");
  expect(trailers["grpc-status"]).toBe("8");
  expect(trailers["grpc-message"]).toContain("unread");
  // Node tells of the reset when what came before is read.
  await sleep(3 * messageTimeoutMs);
  never!.once("trailers", () => expect.unreachable("it's too late for an error"));
  never!.resume();
  await once(never!, "close");
  session.close();
  await impatient.close();
});
