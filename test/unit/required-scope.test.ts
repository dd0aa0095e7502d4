import { readFileSync } from "node:fs";
import { create, createFileRegistry, setExtension } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  type MethodOptions,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { required_scope } from "../../gen/instantpayment/v1/scope_pb.ts";
import { createLogger } from "../../src/platform/logger.ts";
import { requiredScopeOf } from "../../src/rpc/required-scope.ts";
import { createRpcServer } from "../../src/rpc/server.ts";
import { contractFiles } from "../support/contract.ts";

/** A service with one method that has these options. */
function serviceWith(options: MethodOptions) {
  const type = ".test.v1.Empty";
  const file = create(FileDescriptorProtoSchema, {
    name: "test/v1/vault.proto",
    package: "test.v1",
    syntax: "proto3",
    messageType: [{ name: "Empty" }],
    service: [
      { name: "Vault", method: [{ name: "Open", inputType: type, outputType: type, options }] },
    ],
  });
  return createFileRegistry(file, () => undefined).getService("test.v1.Vault")!;
}

function optionsWith(scope: string): MethodOptions {
  const options = create(MethodOptionsSchema);
  setExtension(options, required_scope, scope);
  return options;
}

test("a method needs the scope that its proto names", () => {
  const service = serviceWith(optionsWith("payments:write"));
  expect(requiredScopeOf(service.methods[0]!)).toBe("payments:write");
});

test.each([
  ["no scope", create(MethodOptionsSchema)],
  ["a scope that there isn't", optionsWith("payments:wirte")],
])("a service whose method has %s can't be served", (_, options) => {
  const service = serviceWith(options);
  const serve = () =>
    createRpcServer({
      host: "127.0.0.1",
      port: 0,
      authenticate: () => Promise.resolve(undefined),
      services: [service],
      routes: (router) => void router.service(service, {}),
      isReady: () => true,
      logger: createLogger("silent"),
    });
  expect(serve).toThrow(/test.v1.Vault.Open needs the option \(required_scope\)/);
});

test("the reference names each method's scope, for machines and in words", async () => {
  const openApi: { paths: Record<string, Record<string, object>> } = JSON.parse(
    readFileSync("gen/openapi.json", "utf8"),
  );
  const methods = (await contractFiles())
    .flatMap((file) => file.services)
    .flatMap((service) => service.methods);
  expect(methods.length).toBeGreaterThan(0);
  for (const method of methods) {
    const scope = requiredScopeOf(method);
    const operations = openApi.paths[`/${method.parent.typeName}/${method.name}`]!;
    for (const operation of Object.values(operations)) {
      expect(operation, method.toString()).toMatchObject({
        security: [{ apiKey: [scope] }],
        description: expect.stringContaining(`scope \`${scope}\``),
      });
    }
  }
});
