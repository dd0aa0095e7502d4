import { afterAll, beforeAll, expect, test } from "vitest";
import type { ErrorReason } from "../../src/kernel/errors.ts";
import { ERROR_DOMAIN, OTHER_HTTP_STATUSES } from "../../src/rpc/error-codes.ts";
import { startEchoServer, KEY, type EchoServer } from "../support/echo-server.ts";
import { sendHttp1, sendHttp2, type HttpExchange } from "../support/http-exchange.ts";
import { CREATE_PAYMENT, paymentJson } from "../support/payment-requests.ts";

let server: EchoServer;
beforeAll(async () => {
  server = await startEchoServer({
    corsOrigins: ["https://shop.example"],
    httpRoutes: {
      "/docs": (_, response) => {
        response.writeHead(200, { "content-type": "text/plain" });
        response.end("read me");
      },
      "/broken": () => {
        throw new Error("no page");
      },
    },
  });
});
afterAll(() => server.close());

const JSON_HEADERS = { "content-type": "application/json", authorization: KEY };
const BODY = JSON.stringify(paymentJson());

test("GET serves reads, says no-store, and never moves money", async () => {
  const paymentId = "0198c1f0-0000-7000-8000-000000000001";
  const message = JSON.stringify({ paymentId });
  const query = `?connect=v1&encoding=json&message=${encodeURIComponent(message)}`;
  const path = `/instantpayment.v1.PaymentService/GetPayment${query}`;
  const headers = { authorization: KEY };
  const answer = await sendHttp1(server.url, { method: "GET", path, headers });
  expect(answer.status).toBe(200);
  expect(answer.headers["cache-control"]).toBe("no-store");
  expect(JSON.parse(answer.body.toString())).toMatchObject({ payment: { id: paymentId } });
  const pay = { method: "GET", path: `${CREATE_PAYMENT}${query}`, headers };
  expect((await sendHttp1(server.url, pay)).status).toBe(405);
});

test.each([
  ["", 415],
  ["?encoding=xml&message=a", 415],
  ["?encoding=json", 400],
  ["?encoding=json&message=%ff", 400],
  ["?encoding=json&message=%7B%7D&message=%7B%7D", 400],
  ["?encoding=json&base64=1&message=***", 400],
  ["?encoding=json&message=%%%", 400],
])("GET with the query %j is answered with %i", async (query, status) => {
  const path = `/instantpayment.v1.PaymentService/GetPayment${query}`;
  const exchange = { method: "GET", path, headers: { authorization: KEY } };
  expect((await sendHttp1(server.url, exchange)).status).toBe(status);
});

const WATCH = "/instantpayment.v1.PaymentService/WatchPayment";
const READ = "/instantpayment.v1.PaymentService/GetPayment";
const JSON_TYPE = "application/json; charset=utf-8";
const FORM = { "content-type": "application/x-www-form-urlencoded" };

/** What isn't a call, and the answer: status, reason, header that helps, what the message names. */
const NO_CALLS: [what: string, HttpExchange, number, ErrorReason, string, RegExp][] = [
  [
    "curl -d without a header",
    { path: CREATE_PAYMENT, headers: FORM, body: Buffer.from(BODY) },
    415,
    "MALFORMED_REQUEST",
    "accept-post",
    /x-www-form-urlencoded.*: send the header `content-type: application\/json`/,
  ],
  [
    "no content type",
    { path: READ },
    415,
    "MALFORMED_REQUEST",
    "accept-post",
    /there is no content type: send the header `content-type: application\/json`/,
  ],
  [
    "a content type like gRPC's",
    { path: READ, headers: { "content-type": "application/grpc+thrift" } },
    415,
    "MALFORMED_REQUEST",
    "accept-post",
    /grpc\+thrift/,
  ],
  [
    "GET without a message",
    { method: "GET", path: READ },
    415,
    "MALFORMED_REQUEST",
    "x-request-id",
    /\?encoding=json&message=/,
  ],
  ...["PUT", "OPTIONS", "GET"].map((method): (typeof NO_CALLS)[number] => [
    `${method} of a write`,
    { method, path: CREATE_PAYMENT },
    405,
    "UNIMPLEMENTED",
    "allow",
    /use POST$/,
  ]),
  [
    "DELETE of a read, as gRPC",
    { method: "DELETE", path: READ, headers: { "content-type": "application/grpc" } },
    405,
    "UNIMPLEMENTED",
    "allow",
    /use GET or POST$/,
  ],
  [
    "a stream in plain JSON",
    { path: WATCH, headers: JSON_HEADERS, body: Buffer.from("{}") },
    415,
    "MALFORMED_REQUEST",
    "accept-post",
    /application\/connect\+json.*application\/grpc.*SDK/,
  ],
  ["GET of a stream", { method: "GET", path: WATCH }, 405, "UNIMPLEMENTED", "allow", /use POST$/],
];

test.each(NO_CALLS)(
  "%s is refused as JSON that says what would do",
  async (_, exchange, status, reason, header, message) => {
    for (const send of [sendHttp1, sendHttp2]) {
      const answer = await send(server.url, exchange);
      expect([answer.status, answer.headers["content-type"]]).toEqual([status, JSON_TYPE]);
      expect(answer.headers[header]).toBeDefined();
      expect(OTHER_HTTP_STATUSES[reason]).toContain(status);
      const debug = { domain: ERROR_DOMAIN, reason };
      expect(JSON.parse(answer.body.toString())).toMatchObject({
        // Whoever goes by HTTP's status alone comes to the same code.
        code: "unknown",
        message: expect.stringMatching(message),
        details: [{ type: "google.rpc.ErrorInfo", debug }, { type: "google.rpc.RequestInfo" }],
      });
    }
  },
);

test("JSON has zero values, and its content type may name UTF-8", async () => {
  const headers = { ...JSON_HEADERS, "content-type": "Application/JSON; charset=utf-8" };
  const exchange = { path: CREATE_PAYMENT, headers, body: Buffer.from(BODY) };
  const answer = await sendHttp1(server.url, exchange);
  expect(JSON.parse(answer.body.toString())).toMatchObject({
    replayed: false,
    payment: { amount: { amountMinor: "500" }, remittanceInformation: "" },
  });
});

test("pages are served over both versions without a key, and a broken one is a 500", async () => {
  for (const send of [sendHttp1, sendHttp2]) {
    const page = await send(server.url, { method: "GET", path: "/docs?a=b" });
    expect([page.status, page.body.toString()]).toEqual([200, "read me"]);
    expect((await send(server.url, { method: "GET", path: "/broken" })).status).toBe(500);
    expect((await send(server.url, { method: "GET", path: "/" })).status).toBe(404);
  }
});

test("a page of an allowed origin may call, one of another may not", async () => {
  const preflight = (origin: string) =>
    sendHttp1(server.url, {
      method: "OPTIONS",
      path: CREATE_PAYMENT,
      headers: { origin, "access-control-request-method": "POST" },
    });
  const allowed = await preflight("https://shop.example");
  expect(allowed.status).toBe(204);
  expect(allowed.headers["access-control-allow-origin"]).toBe("https://shop.example");
  expect(allowed.headers["access-control-allow-headers"]).toContain("Idempotency-Key");
  const other = await preflight("https://evil.example");
  expect(other.headers["access-control-allow-origin"]).toBeUndefined();
  const headers = { ...JSON_HEADERS, origin: "https://shop.example" };
  const call = await sendHttp1(server.url, {
    path: CREATE_PAYMENT,
    headers,
    body: Buffer.from(BODY),
  });
  expect(call.status).toBe(200);
  expect(call.headers["access-control-allow-origin"]).toBe("https://shop.example");
  expect(call.headers["access-control-expose-headers"]).toContain("Retry-After");
});
