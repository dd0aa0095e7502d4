import { afterAll, beforeAll, expect, test } from "vitest";
import { KEY, startEchoServer, type EchoServer } from "../support/echo-server.ts";
import { paymentJson } from "../support/payment-requests.ts";
import { grpcurl, installGrpcurl, type GrpcurlResult } from "../support/tools/grpcurl.ts";

let server: EchoServer;
let path: string;
beforeAll(async () => {
  path = await installGrpcurl();
  server = await startEchoServer();
}, 300_000);
afterAll(() => server.close());

const target = (): string => `${server.host}:${server.port}`;
const CREATE_PAYMENT = "instantpayment.v1.PaymentService/CreatePayment";

function pay(
  headers: readonly string[],
  changes: Record<string, unknown> = {},
): Promise<GrpcurlResult> {
  const body = JSON.stringify(paymentJson(changes));
  return grpcurl(path, [...headers, "-d", body, target(), CREATE_PAYMENT]);
}

test("grpcurl finds services and messages by reflection alone", async () => {
  const list = await grpcurl(path, [target(), "list"]);
  expect(list.output.split("\n")).toContain("instantpayment.v1.PaymentService");
  const message = "instantpayment.v1.CreatePaymentRequest";
  const described = await grpcurl(path, [target(), "describe", message]);
  expect(described.output).toContain("string idempotency_key = 1");
  const methods = await grpcurl(path, [target(), "list", "instantpayment.v1.PaymentService"]);
  expect(methods.output).toContain(CREATE_PAYMENT.replace("/", "."));
});

test("grpcurl pays with a key, and is told what is wrong without one", async () => {
  const paid = await pay(["-H", `authorization: ${KEY}`]);
  expect(JSON.parse(paid.output)).toMatchObject({ payment: { status: "PAYMENT_STATUS_SETTLED" } });
  const refused = await pay([]);
  expect(refused.code).toBe(64 + 16);
  expect(refused.output).toMatch(/Code: Unauthenticated[^]*MISSING_CREDENTIALS/);
  const wrong = await pay(["-H", `authorization: ${KEY}`], { debtorAccountId: "me" });
  expect(wrong.output).toMatch(/Code: InvalidArgument[^]*"field": "debtor_account_id"/);
  const late = await pay(["-H", `authorization: ${KEY}`, "-max-time", "0.3"], {
    remittanceInformation: "sleep 2000",
  });
  expect(late.output).toContain("DeadlineExceeded");
});

test("grpcurl checks and watches the health", async () => {
  const checked = await grpcurl(path, [target(), "grpc.health.v1.Health/Check"]);
  expect(JSON.parse(checked.output)).toEqual({ status: "SERVING" });
  const watched = await grpcurl(path, ["-max-time", "1", target(), "grpc.health.v1.Health/Watch"]);
  expect(watched.output).toContain("SERVING");
});
