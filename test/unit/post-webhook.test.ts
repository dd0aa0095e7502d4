import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createPostWebhook, type PostWebhook } from "../../src/webhooks/post-webhook.ts";

const closers: (() => unknown)[] = [];
afterEach(() => closers.splice(0).forEach((close) => close()));

/** Posts to a server that does this with a connection as soon as there is a request. */
async function postTo(answer: (socket: Socket, request: number) => unknown) {
  const sockets: Socket[] = [];
  let requests = 0;
  const server = createServer((socket) => {
    sockets.push(socket.on("error", () => undefined));
    socket.on("data", () => answer(socket, ++requests));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const poster: PostWebhook = createPostWebhook({ allowPrivate: true });
  closers.push(
    poster.close,
    () => server.close(),
    () => sockets.forEach((one) => one.destroy()),
  );
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { sockets, post: () => poster.post({ url, headers: {}, body: "{}" }) };
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

test.each([
  ["another protocol", "HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "CLOSED"],
  ["no HTTP", "junk\r\n\r\n", "HPE_"],
  [
    "too many headers",
    `HTTP/1.1 200 OK\r\nx: ${"x".repeat(20_000)}\r\n\r\n`,
    "HPE_HEADER_OVERFLOW",
  ],
])("An answer that is %s is none", async (_, text, code) => {
  const { post } = await postTo((socket) => socket.write(text));
  await expect(post()).rejects.toThrow(`no answer: ${code}`);
});

test("A connection that is closed in the place of an answer is tried once", async () => {
  let requests = 0;
  const { post } = await postTo((socket) => (requests++, socket.destroy()));
  await expect(post()).rejects.toThrow("no answer: ECONNRESET");
  expect(requests).toBe(1);
});

test("Of a long answer the head counts, and what is too much is cut off", async () => {
  const { post, sockets } = await postTo((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n${"x".repeat(1_000_000)}`);
  });
  expect(await post()).toEqual({ statusCode: 200, retryAfter: undefined });
  await expect.poll(() => sockets[0]!.destroyed).toBe(true);
});

test("A connection is used again, and another one is opened if it was closed meanwhile", async () => {
  const { post, sockets } = await postTo((socket, request) => {
    if (request === 3) socket.destroy();
    else socket.write(OK);
  });
  for (let i = 0; i < 3; i++) expect((await post()).statusCode).toBe(200);
  expect(sockets).toHaveLength(2);
});
