import { createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/grpc/health/v1/health_pb.ts";
import { PaymentService } from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { KEY, startEchoServer, type EchoServer } from "../support/echo-server.ts";

let server: EchoServer;
beforeAll(async () => {
  server = await startEchoServer();
});
afterAll(() => server.close());

const transports: Record<string, (baseUrl: string) => Transport> = {
  "Connect JSON h1": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect JSON h2": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" }),
  "Connect proto h1": (baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: true }),
  "Connect GET": (baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: "1.1", useHttpGet: true }),
  gRPC: (baseUrl) => createGrpcTransport({ baseUrl }),
  "gRPC JSON": (baseUrl) => createGrpcTransport({ baseUrl, useBinaryFormat: false }),
  "gRPC-Web h1": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "gRPC-Web h2": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
};

describe.each(Object.entries(transports))("A %s client", (_, transport) => {
  test("gets what it sent, 64-bit numbers exactly", async () => {
    const client = createClient(PaymentService, transport(server.url));
    const { payment } = await client.createPayment(request(), { headers: { authorization: KEY } });
    expect(payment?.amount?.amountMinor).toBe(9_007_199_254_740_991n);
    expect(payment?.endToEndId).toBe("owner-1:e2e");
  });

  test("reads with its key and is refused without one", async () => {
    const client = createClient(PaymentService, transport(server.url));
    const paymentId = "0198c1f0-0000-7000-8000-000000000003";
    const options = { headers: { authorization: KEY } };
    expect((await client.getPayment({ paymentId }, options)).payment?.id).toBe(paymentId);
    await expect(client.getPayment({ paymentId })).rejects.toThrow("[unauthenticated]");
  });

  test("learns of the server's health without a key", async () => {
    const client = createClient(Health, transport(server.url));
    expect((await client.check({})).status).toBe(Status.SERVING);
    await expect(client.check({ service: "no.such.Service" })).rejects.toThrow("[not_found]");
    for await (const { status } of client.watch({})) {
      expect(status).toBe(Status.SERVING);
      break;
    }
  });
});

function request() {
  return {
    idempotencyKey: "k-1",
    debtorAccountId: "0198c1f0-0000-7000-8000-000000000001",
    creditorAccountId: "0198c1f0-0000-7000-8000-000000000002",
    amount: { currencyCode: "EUR", amountMinor: 9_007_199_254_740_991n },
    endToEndId: "e2e",
  };
}
