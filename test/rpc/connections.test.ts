import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sendHttp1, sendHttp2 } from "../support/http-exchange.ts";
import { openPaymentDesk, type PaymentDesk } from "../support/payment-desk.ts";
import { CREATE_PAYMENT, paymentJson } from "../support/payment-requests.ts";
import { sendRaw } from "../support/raw-socket.ts";

let desk: PaymentDesk;
let jsonHeaders: Readonly<Record<string, string>>;
beforeAll(async () => {
  desk = await openPaymentDesk();
  jsonHeaders = { "content-type": "application/json", authorization: desk.authorization };
});
afterAll(() => desk.close());

const BODY = JSON.stringify(paymentJson({ validateOnly: true }));

const post = (head: string, body = BODY): string =>
  `POST ${CREATE_PAYMENT} HTTP/1.1\r\n${head}Authorization: ${desk.authorization}\r\n` +
  `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

async function expectAlive(): Promise<void> {
  const exchange = { path: CREATE_PAYMENT, headers: jsonHeaders, body: Buffer.from(BODY) };
  expect((await sendHttp2(desk.url, exchange)).status).toBe(200);
  await desk.expectExact();
}

describe("A bad Host is refused, and the server lives", () => {
  test.each(["[", "a b", "a/b", "a:99999", "%%", "a@b", "[::1", "256.256.256.256", ""])(
    "Host %j over HTTP/1.1",
    async (host) => {
      expect((await sendRaw(desk.port, [post(`Host: ${host}\r\n`)])).status).toBe(400);
      await expectAlive();
    },
  );

  test("HTTP/1.0 without Host, and HTTP/1.1", async () => {
    const old = post("").replace("HTTP/1.1", "HTTP/1.0");
    expect((await sendRaw(desk.port, [old])).status).toBe(400);
    expect((await sendRaw(desk.port, [post("")])).status).toBe(400);
    await expectAlive();
  });

  test.each(["[", "a b", "a/b", ""])(":authority %j over HTTP/2", async (authority) => {
    const headers = { ...jsonHeaders, ":authority": authority };
    const exchange = { path: CREATE_PAYMENT, headers, body: Buffer.from(BODY) };
    const answer = await sendHttp2(desk.url, exchange).catch((error: Error) => error.message);
    // What HTTP/2 itself forbids, it resets.
    if (typeof answer === "string") expect(answer).toContain("PROTOCOL_ERROR");
    else expect(answer.status).toBe(400);
    await expectAlive();
  });

  test("a stream with a bad Host, which Connect would choke on", async () => {
    const watch = "POST /grpc.health.v1.Health/Watch HTTP/1.1\r\nHost: [\r\n";
    expect((await sendRaw(desk.port, [`${watch}Content-Length: 0\r\n\r\n`])).status).toBe(400);
    await expectAlive();
  });

  test("a target in absolute form", async () => {
    const target = post("Host: x\r\n").replace(CREATE_PAYMENT, `http://[${CREATE_PAYMENT}`);
    expect((await sendRaw(desk.port, [target])).status).toBe(404);
    await expectAlive();
  });

  test("any plain Host is taken, and HTTP/1.0 with one", async () => {
    for (const host of ["localhost", "pay.example:8080", "[::1]:8080", "10.0.0.1", "my_pod"]) {
      expect((await sendRaw(desk.port, [post(`Host: ${host}\r\n`)])).status, host).toBe(200);
    }
    const old = post("Host: x\r\n").replace("HTTP/1.1", "HTTP/1.0");
    expect((await sendRaw(desk.port, [old])).status).toBe(200);
  });
});

describe("A slow caller gets 408 within 10 seconds", () => {
  test.concurrent("who says nothing", async ({ expect }) => {
    const { status, ms } = await sendRaw(desk.port, [""]);
    expect(status).toBe(408);
    expect(ms).toBeLessThan(10_000);
  });

  test.concurrent("who sends two bytes and stops", async ({ expect }) => {
    const { status, ms } = await sendRaw(desk.port, ["P", "R"], { pauseMs: 100 });
    expect(status).toBe(408);
    expect(ms).toBeLessThan(10_000);
  });

  test.concurrent("who trickles headers", async ({ expect }) => {
    const parts = ["POST / HTTP/1.1\r\n", ...Array.from({ length: 60 }, (_, i) => `X-${i}: 1\r\n`)];
    const { status, ms } = await sendRaw(desk.port, parts, { pauseMs: 200 });
    expect(status).toBe(408);
    expect(ms).toBeLessThan(10_000);
  });

  test.concurrent("who trickles the body", async ({ expect }) => {
    const parts = [post("Host: x\r\n").slice(0, -BODY.length), ...BODY.slice(0, 60).split("")];
    const { status, ms } = await sendRaw(desk.port, parts, { pauseMs: 200 });
    expect(status).toBe(408);
    expect(ms).toBeLessThan(10_000);
  });

  test.concurrent("who never ends the body, over HTTP/2", async ({ expect }) => {
    const session = connectHttp2(desk.url);
    const stream = session.request({ ":method": "POST", ":path": CREATE_PAYMENT, ...jsonHeaders });
    stream.write("{");
    const status = await new Promise((resolve) => {
      stream.on("response", (headers) => resolve(headers[":status"]));
    });
    session.destroy();
    expect(status).toBe(408);
  });

  test.concurrent("who never ends the body of a stream", async ({ expect }) => {
    const head =
      "POST /grpc.health.v1.Health/Watch HTTP/1.1\r\nHost: x\r\n" +
      "Content-Type: application/connect+json\r\nContent-Length: 9\r\n\r\n";
    const { text, ms } = await sendRaw(desk.port, [head], { timeoutMs: 12_000 });
    expect(text).toMatch(/ 408 |deadline_exceeded/);
    expect(ms).toBeLessThan(10_500);
  });
});

describe("What is too much is refused", () => {
  test("headers above 16 KiB", async () => {
    const headers = { ...jsonHeaders, "x-a": "a".repeat(17_000) };
    expect((await sendHttp1(desk.url, { path: CREATE_PAYMENT, headers })).status).toBe(431);
    await expectAlive();
  });

  test("a body of 1 GB by its declared length, before it is sent", async () => {
    const head = post("Host: x\r\n").replace(/Content-Length: \d+/, "Content-Length: 1000000000");
    const { status, ms } = await sendRaw(desk.port, [head]);
    expect(status).toBe(429);
    expect(ms).toBeLessThan(2_000);
  });

  test("a chunked body that only turns out to be too large", async () => {
    const head = post("Host: x\r\n", "").replace(
      /Content-Length: \d+/,
      "Transfer-Encoding: chunked",
    );
    const chunk = `4000\r\n${"a".repeat(0x4000)}\r\n`;
    const { status } = await sendRaw(desk.port, [head, chunk.repeat(5), "0\r\n\r\n"]);
    expect(status).toBe(429);
  });

  test("the 129th stream of a connection waits for its turn", async () => {
    const session = connectHttp2(desk.url);
    const streams = await new Promise((resolve) => {
      session.on("remoteSettings", (settings) => resolve(settings.maxConcurrentStreams));
    });
    session.close();
    expect(streams).toBe(128);
  });
});

test("refused calls whose body nobody read don't use up a connection's streams", async () => {
  const session = connectHttp2(desk.url);
  for (let round = 0; round < 300; round += 1) {
    const contentType = round % 2 === 0 ? "application/grpc" : "application/json";
    const headers = { ":method": "POST", ":path": CREATE_PAYMENT, "content-type": contentType };
    const stream = session.request(headers);
    stream.end(Buffer.alloc(100_000));
    stream.resume();
    await once(stream, "close");
  }
  session.close();
});

test("a caller who hangs up mid-body harms nobody", async () => {
  const socket = connect(desk.port, "127.0.0.1");
  await new Promise<void>((resolve) => {
    socket.write(post("Host: x\r\n").slice(0, -5), () => resolve());
  });
  socket.destroy();
  await expectAlive();
});
