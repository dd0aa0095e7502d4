import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTls } from "node:tls";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PaymentService } from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { KEY, startEchoServer, type EchoServer } from "../support/echo-server.ts";
import { paymentRequest } from "../support/payment-requests.ts";

const certFile = new URL("../support/tls/cert.pem", import.meta.url).pathname;
const keyFile = new URL("../support/tls/key.pem", import.meta.url).pathname;
const nodeOptions = { ca: readFileSync(certFile) };

let server: EchoServer;
beforeAll(async () => {
  server = await startEchoServer({ tls: { certFile, keyFile } });
});
afterAll(() => server.close());

test("gRPC and Connect of both versions come over one TLS port", async () => {
  const baseUrl = server.url;
  for (const transport of [
    createGrpcTransport({ baseUrl, nodeOptions }),
    createConnectTransport({ baseUrl, httpVersion: "1.1", nodeOptions }),
    createConnectTransport({ baseUrl, httpVersion: "2", nodeOptions }),
  ]) {
    const client = createClient(PaymentService, transport);
    const answer = await client.createPayment(paymentRequest(), {
      headers: { authorization: KEY },
    });
    expect(answer.payment?.idempotencyKey).toBe("key-1");
  }
});

test("ALPN chooses the protocol, and without it there is HTTP/1.1", async () => {
  const session = connectHttp2(server.url, nodeOptions);
  await new Promise((resolve) => session.once("connect", resolve));
  expect(session.alpnProtocol).toBe("h2");
  session.close();
  const socket = connectTls({ ...nodeOptions, port: server.port, host: server.host });
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const [answer] = await once(socket, "data");
  expect(socket.alpnProtocol).toBe(false);
  expect(String(answer)).toContain("HTTP/1.1 404");
  socket.destroy();
});

test("a missing certificate fails the start", async () => {
  const tls = { certFile: "/nowhere/cert.pem", keyFile };
  await expect(startEchoServer({ tls })).rejects.toThrow("/nowhere/cert.pem");
});
