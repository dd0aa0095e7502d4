import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect as connectHttp2, constants, type ClientHttp2Session } from "node:http2";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openPaymentDesk, type PaymentDesk } from "../support/payment-desk.ts";
import { CREATE_PAYMENT, paymentJson } from "../support/payment-requests.ts";
import { PROTOCOLS } from "../support/rpc-protocols.ts";

let desk: PaymentDesk;
beforeAll(async () => {
  desk = await openPaymentDesk();
});
afterAll(() => desk.close());

const DRY_RUN = JSON.stringify(paymentJson({ validateOnly: true }));

function head(lines: readonly string[]): string {
  const fixed = ["Host: x", `Authorization: ${desk.authorization}`];
  return [
    `POST ${CREATE_PAYMENT} HTTP/1.1`,
    ...fixed,
    "Content-Type: application/json",
    ...lines,
    "",
    "",
  ].join("\r\n");
}

const whole = (body: string): string => head([`Content-Length: ${body.length}`]) + body;

/** The service serves others, in every protocol and without delay, and the ledger is exact. */
async function expectServesOthers(): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    const startMs = performance.now();
    for (const protocol of PROTOCOLS) {
      expect((await desk.pay(protocol, { validateOnly: true })).code).toBe("ok");
    }
    await desk.expectExact();
    expect(performance.now() - startMs).toBeLessThan(10_000);
    await sleep(200);
  }
}

/** Opens connections that send `start` and then, again and again, `drip`; they all end. */
function openSlowSockets(count: number, start: string, drip: string) {
  const sockets = Array.from({ length: count }, () => {
    const socket = connect(desk.port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(start);
    return socket;
  });
  const timer = setInterval(() => {
    for (const socket of sockets) if (socket.writable) socket.write(drip);
  }, 250);
  const answers = Promise.all(sockets.map((socket) => text(socket).catch(() => "cut")));
  return answers.finally(() => clearInterval(timer));
}

describe("The service goes on for others", () => {
  test("while connections send their headers a byte at a time, and these get 408", async () => {
    const answers = openSlowSockets(200, "POST / HTTP/1.1\r\nX-A: ", "a");
    await expectServesOthers();
    expect((await answers).filter((answer) => !answer.includes(" 408 "))).toEqual([]);
  });

  test("while connections send their bodies a byte at a time, and these get 408", async () => {
    const answers = openSlowSockets(200, head(["Content-Length: 5000"]), " ");
    await expectServesOthers();
    expect((await answers).filter((answer) => !answer.includes(" 408 "))).toEqual([]);
  });

  test("while all streams of some connections wait for a body", async () => {
    const sessions = await Promise.all(Array.from({ length: 5 }, () => openSession()));
    const streams = sessions.flatMap((session) =>
      Array.from({ length: 128 }, () => session.request(streamHeaders())),
    );
    const statuses = streams.map(async (stream) => {
      const [headers] = await once(stream, "response");
      return headers[":status"];
    });
    await expectServesOthers();
    expect(new Set(await Promise.all(statuses))).toEqual(new Set([408]));
    for (const session of sessions) session.destroy();
  });

  test("while connections open streams and reset them at once", async () => {
    const sessions = await Promise.all(Array.from({ length: 4 }, () => openSession()));
    const goneAway = sessions.map(
      (session) => new Promise((resolve) => session.once("close", resolve)),
    );
    const attack = sessions.map((session) => resetRapidly(session));
    await expectServesOthers();
    // Who goes on is sent away.
    await Promise.all([...attack, ...goneAway]);
    await expectServesOthers();
  });

  test("while connections talk TLS, or noise, to the cleartext port", async () => {
    const hello = Buffer.concat([
      Buffer.from("16030102000100", "hex"),
      Buffer.from("01fc0303", "hex"),
      randomBytes(508),
    ]);
    const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    const noises = [hello, randomBytes(512), Buffer.concat([preface, randomBytes(512)])];
    const ends = noises.flatMap((noise) =>
      Array.from({ length: 50 }, () => endOf(connectWith(noise))),
    );
    await expectServesOthers();
    expect(Math.max(...(await Promise.all(ends)))).toBeLessThan(10_000);
  });
});

describe("No request is smuggled in another's body", () => {
  test.each<[what: string, headers: string[]]>([
    ["a length and chunks", ["Content-Length: 5", "Transfer-Encoding: chunked"]],
    ["chunks and a length", ["Transfer-Encoding: chunked", "Content-Length: 5"]],
    ["two lengths", ["Content-Length: 5", "Content-Length: 6"]],
    ["two lengths in one", ["Content-Length: 5, 6"]],
    ["a length with a sign", ["Content-Length: +5"]],
    ["chunks that aren't last", ["Transfer-Encoding: chunked, identity"]],
    ["an unknown encoding", ["Transfer-Encoding: xchunked"]],
    ["a space before the colon", ["Transfer-Encoding : chunked"]],
    ["a header line that is folded", ["X-A: b", " Transfer-Encoding: chunked"]],
    ["a bare line feed", ["X-A: b\nContent-Length: 5"]],
  ])("with %s", async (_, headers) => {
    const smuggled = whole(JSON.stringify(paymentJson({ idempotencyKey: "smuggled" })));
    const socket = connectWith(`${head(headers)}0\r\n\r\n${smuggled}`);
    const answer = await text(socket).catch(() => "");
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    await desk.expectExact();
  });
});

test("requests that come in a row without waiting are answered in their order", async () => {
  const socket = connect(desk.port, "127.0.0.1");
  const bodies = Array.from({ length: 20 }, (_, i) =>
    JSON.stringify(paymentJson({ validateOnly: true, endToEndId: `number ${i}` })),
  );
  socket.write(bodies.map(whole).join(""));
  let answer = "";
  socket.on("data", (chunk) => (answer += String(chunk)));
  await expect.poll(() => answer.match(/HTTP\/1\.1 200/g)?.length, { timeout: 10_000 }).toBe(20);
  socket.destroy();
  const order = [...answer.matchAll(/"endToEndId":"number (\d+)"/g)].map(([, i]) => Number(i));
  expect(order).toEqual(bodies.map((_, i) => i));
  await desk.expectExact();
});

test("what is wrong after a payment isn't said to be wrong with the payment", async () => {
  const body = JSON.stringify(paymentJson({ idempotencyKey: "before nonsense" }));
  const socket = connectWith(`${whole(body)}nonsense\r\n\r\n`);
  expect(await text(socket).catch(() => "")).not.toContain("400");
  // The nonsense ends the connection, so whether the payment was begun is open: the key tells.
  const again = await desk.pay(PROTOCOLS[0]!, { idempotencyKey: "before nonsense" });
  expect(again.code).toBe("ok");
  await desk.expectExact(500n);
});

function connectWith(bytes: string | Buffer): Socket {
  const socket = connect(desk.port, "127.0.0.1");
  socket.write(bytes);
  return socket;
}

/** How long the service keeps the connection, in milliseconds. */
async function endOf(socket: Socket): Promise<number> {
  const startMs = performance.now();
  socket.on("error", () => undefined);
  socket.resume();
  await once(socket, "close");
  return performance.now() - startMs;
}

async function openSession(): Promise<ClientHttp2Session> {
  const session = connectHttp2(desk.url);
  session.on("error", () => undefined);
  await once(session, "remoteSettings");
  return session;
}

function streamHeaders() {
  return {
    ":method": "POST",
    ":path": CREATE_PAYMENT,
    "content-type": "application/json",
    authorization: desk.authorization,
  };
}

/** Opens and resets streams until the server ends the connection. */
async function resetRapidly(session: ClientHttp2Session): Promise<void> {
  for (let count = 0; !session.destroyed && !session.closed; count += 1) {
    const stream = session.request(streamHeaders());
    stream.on("error", () => undefined);
    stream.end(DRY_RUN);
    stream.close(constants.NGHTTP2_CANCEL);
    if (count % 50 === 0) await sleep(1);
  }
}
