import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { startEchoServer, type EchoServer } from "../support/echo-server.ts";

let server: EchoServer;
beforeAll(async () => {
  server = await startEchoServer();
});
afterAll(() => server.close());

type Question = { case: "fileContainingSymbol" | "fileByFilename" | "listServices"; value: string };

describe.each([ServerReflection, ServerReflectionAlpha])("$typeName", (service) => {
  async function ask(messageRequest: Question) {
    const transport = createGrpcTransport({ baseUrl: server.url });
    const client = createClient(service as typeof ServerReflection, transport);
    async function* requests() {
      yield { host: "h", messageRequest };
    }
    for await (const { messageResponse } of client.serverReflectionInfo(requests())) {
      return messageResponse;
    }
    throw new Error("no answer");
  }

  test("lists the services without a key", async () => {
    const { value } = await ask({ case: "listServices", value: "" });
    expect(value).toMatchObject({
      service: [
        { name: "instantpayment.v1.PaymentService" },
        { name: "instantpayment.v1.AccountService" },
        { name: "instantpayment.v1.LedgerService" },
        { name: "grpc.health.v1.Health" },
        { name: "grpc.reflection.v1.ServerReflection" },
        { name: "grpc.reflection.v1alpha.ServerReflection" },
      ],
    });
  });

  test.each([
    "instantpayment.v1.PaymentService",
    "instantpayment.v1.PaymentService.CreatePayment",
    "instantpayment.v1.CreatePaymentRequest",
  ])("gives the file of %s with all that it imports", async (symbol) => {
    const answer = await ask({ case: "fileContainingSymbol", value: symbol });
    if (answer.case !== "fileDescriptorResponse") throw new Error(`got ${answer.case}`);
    const files = answer.value.fileDescriptorProto.map((bytes) =>
      fromBinary(FileDescriptorProtoSchema, bytes),
    );
    // Clients take the first file for the one that they asked for.
    expect(files[0]?.name).toBe("instantpayment/v1/payment_service.proto");
    const file = importsFirst(files, files[0]!.name);
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file }));
    expect(registry.getService("instantpayment.v1.PaymentService")).toBeDefined();
  });

  test("says that it doesn't know an unknown symbol or file", async () => {
    for (const kind of ["fileContainingSymbol", "fileByFilename"] as const) {
      const answer = await ask({ case: kind, value: "no.such.thing" });
      expect(answer).toMatchObject({ case: "errorResponse", value: { errorCode: 5 } });
    }
  });
});

function importsFirst(files: readonly FileDescriptorProto[], name: string): FileDescriptorProto[] {
  const file = files.find((each) => each.name === name);
  if (file === undefined) throw new Error(`${name} is missing`);
  const imports = file.dependency.flatMap((dependency) => importsFirst(files, dependency));
  return [...new Set([...imports, file])];
}
