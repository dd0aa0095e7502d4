import { afterAll, beforeAll, expect, test } from "vitest";
import { startEchoServer, KEY, type EchoServer } from "../support/echo-server.ts";
import { sendHttp1, sendHttp2 } from "../support/http-exchange.ts";
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

test("other methods and content types are refused with what would do", async () => {
  const put = await sendHttp1(server.url, { method: "PUT", path: CREATE_PAYMENT });
  expect([put.status, put.headers.allow]).toEqual([405, "POST"]);
  const headers = { "content-type": "text/plain" };
  const plain = await sendHttp1(server.url, { path: CREATE_PAYMENT, headers });
  expect(plain.status).toBe(415);
  expect(plain.headers["accept-post"]).toContain("application/json");
  // Clients take the code from HTTP's status where the body isn't an error of Connect.
  expect([put, plain].map(({ body }) => body.toString())).toEqual([
    "method not allowed\n",
    "unsupported content type\n",
  ]);
});

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
