import { createServer, type Server } from "node:http";
import { connect, createServer as createHttp2Server, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DocsHandler, docsRoutes } from "../../src/rpc/docs.ts";

const DEBTOR = "0198aaaa-0000-7000-8000-000000000001";
const CREDITOR = "0198aaaa-0000-7000-8000-000000000002";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const routes = docsRoutes({
  examples: { demoDebtorAccountId: DEBTOR, demoCreditorAccountId: CREDITOR },
});
const answer: DocsHandler = (request, response) => routes.get(request.url!)!(request, response);
let server: Server;
let http2Server: Http2Server;
let base: string;

beforeAll(async () => {
  server = createServer(answer).listen(0, "127.0.0.1");
  http2Server = createHttp2Server((request, response) => {
    answer(request as never, response as never);
  }).listen(0, "127.0.0.1");
  await Promise.all(
    [server, http2Server].map((each) => new Promise((done) => each.once("listening", done))),
  );
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.close();
  http2Server.close();
});

interface Payment {
  idempotencyKey: string;
  debtorAccountId: string;
  creditorAccountId: string;
}

async function examplePayment(): Promise<Payment> {
  const response = await fetch(`${base}/v3/api-docs`);
  expect(response.headers.get("content-type")).toBe("application/json");
  const { paths } = (await response.json()) as {
    paths: Record<
      string,
      { post: { requestBody: { content: Record<string, { example: Payment }> } } }
    >;
  };
  const { post } = paths["/instantpayment.v1.PaymentService/CreatePayment"]!;
  return post.requestBody.content["application/json"]!.example;
}

test("The served examples have real account ids", async () => {
  expect(await examplePayment()).toMatchObject({
    debtorAccountId: DEBTOR,
    creditorAccountId: CREDITOR,
  });
});

test("The served examples have a new idempotency key each time", async () => {
  const [first, second] = [await examplePayment(), await examplePayment()];
  expect(first.idempotencyKey).toMatch(UUID);
  expect(second.idempotencyKey).toMatch(UUID);
  expect(second.idempotencyKey).not.toBe(first.idempotencyKey);
});

test("Every idempotency key in the served examples is a UUID", async () => {
  const served = await (await fetch(`${base}/v3/api-docs`)).text();
  const keys = [...served.matchAll(/"idempotencyKey": "([^"]*)"/g)].map(([, key]) => key);
  expect(new Set(keys).size).toBeGreaterThan(2);
  for (const key of keys) expect(key).toMatch(UUID);
});

test("The root leads to Swagger UI", async () => {
  const response = await fetch(`${base}/`);
  expect(response.url).toBe(`${base}/swagger-ui.html`);
  expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
});

test("All that the page refers to is there, and none of it on another host", async () => {
  const page = await (await fetch(`${base}/swagger-ui.html`)).text();
  const links = [...page.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, link]) => link!);
  expect(links.length).toBeGreaterThan(4);
  for (const link of links) {
    expect(link).toMatch(/^\/[^/]/);
    const response = await fetch(`${base}${link}`);
    expect(response.status, link).toBe(200);
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(0);
    const policy = response.headers.get("content-security-policy");
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/https?:|\*|script-src[^;]*unsafe/);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  }
});

test("A browser that asks for an icon by itself gets one", async () => {
  const response = await fetch(`${base}/favicon.ico`);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "image/png"]);
});

test("A file that the browser has isn't sent again", async () => {
  const file = `${base}/swagger-ui/swagger-ui.css`;
  const etag = (await fetch(file)).headers.get("etag")!;
  const again = await fetch(file, { headers: { "if-none-match": etag } });
  expect(again.status).toBe(304);
  expect((await fetch(file, { headers: { "if-none-match": '"old"' } })).status).toBe(200);
});

test("HEAD answers without a body, and what would write is refused", async () => {
  const head = await fetch(`${base}/v3/api-docs`, { method: "HEAD" });
  expect(head.status).toBe(200);
  expect(await head.text()).toBe("");
  const post = await fetch(`${base}/v3/api-docs`, { method: "POST", body: "{}" });
  expect(post.status).toBe(405);
  expect(post.headers.get("allow")).toBe("GET, HEAD");
});

test("HTTP/2 gets the same", async () => {
  const session = connect(`http://127.0.0.1:${(http2Server.address() as AddressInfo).port}`);
  try {
    const page = await text(session.request({ ":path": "/swagger-ui.html" }));
    expect(page).toBe(await (await fetch(`${base}/swagger-ui.html`)).text());
  } finally {
    session.close();
  }
});
