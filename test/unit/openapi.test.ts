import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import {
  clone,
  create,
  createFileRegistry,
  type DescMessage,
  type DescService,
  fromBinary,
  fromJson,
  type JsonObject,
  setExtension,
} from "@bufbuild/protobuf";
import {
  type FileDescriptorSet,
  FileDescriptorSetSchema,
  MethodOptions_IdempotencyLevel,
} from "@bufbuild/protobuf/wkt";
import { getComments } from "@bufbuild/protoplugin";
import { createValidator } from "@bufbuild/protovalidate";
import {
  field as fieldOption,
  FieldRulesSchema,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { codeToHttpStatus, codeToString } from "@connectrpc/connect/protocol-connect";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { expect, test } from "vitest";
import { ERROR_CATALOGUE, type ErrorReason } from "../../src/kernel/errors.ts";
import { CODE_BY_REASON } from "../../src/rpc/error-codes.ts";
import { openApiDocument } from "../../tools/protoc-gen-openapi/document.ts";

interface Schema {
  description: string;
  properties: Record<string, Schema>;
  required?: string[];
  enum?: string[];
}

interface Operation {
  description: string;
  parameters: { $ref?: string }[];
  requestBody?: { content: Record<string, { schema: { $ref: string }; example?: JsonObject }> };
}

interface OpenApi {
  tags: { name: string; description: string }[];
  paths: Record<string, { get?: Operation; post: Operation }>;
  components: {
    schemas: Record<string, Schema>;
    responses: Record<string, { description: string }>;
  };
}

const image = fromBinary(
  FileDescriptorSetSchema,
  execFileSync("buf", ["build", "-o", "-#format=binpb"], { maxBuffer: 2 ** 26 }),
);
const registry = createFileRegistry(image);
const services = [...registry].filter(
  (desc): desc is DescService => desc.kind === "service" && isOurs(desc.typeName),
);
const methods = services.flatMap((service) => service.methods);
const openApi = JSON.parse(readFileSync("gen/openapi.json", "utf8")) as OpenApi;
const { schemas } = openApi.components;

function isOurs(typeName: string): boolean {
  return typeName.startsWith("instantpayment.v1.");
}

function generate(set: FileDescriptorSet): JsonObject {
  const types = createFileRegistry(set);
  return openApiDocument([...types.files], types);
}

/** A text by its letters and digits alone: line breaks and the spelling of names don't count. */
function letters(text = ""): string {
  return text.replaceAll(/[^a-zA-Z0-9]/g, "").toLowerCase();
}

function post(typeAndMethod: string): Operation {
  return openApi.paths[`/instantpayment.v1.${typeAndMethod}`]!.post;
}

test("The document is valid OpenAPI 3.1 to a second validator too", async () => {
  const validator = new Validator();
  expect(await validator.validate({ ...structuredClone(openApi) })).toEqual({ valid: true });
  expect(validator.version).toBe("3.1");
  const broken = { ...structuredClone(openApi), paths: { "no-slash": {} } };
  expect(await new Validator().validate(broken)).toMatchObject({ valid: false });
});

test("Every RPC is there by POST, and by GET if and only if it has no side effects", () => {
  expect(methods.length).toBeGreaterThan(0);
  const paths = methods.map((method) => `/${method.parent.typeName}/${method.name}`);
  expect(Object.keys(openApi.paths).toSorted()).toEqual(paths.toSorted());
  for (const method of methods) {
    const { get, post } = openApi.paths[`/${method.parent.typeName}/${method.name}`]!;
    const readOnly = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
    const isUnary = method.methodKind === "unary";
    expect(get !== undefined, method.toString()).toBe(readOnly && isUnary);
    const type = isUnary ? "application/json" : "application/connect+json";
    expect(Object.keys(post.requestBody!.content)).toEqual([type]);
  }
});

function expectComment(desc: Parameters<typeof getComments>[0], place?: string): void {
  const comment = letters(getComments(desc).leading);
  expect(comment, desc.toString()).not.toBe("");
  expect(letters(place), desc.toString()).toContain(comment);
}

test("Every comment of the contract is in the document, at its place", () => {
  const used = methods.flatMap(({ input, output }) => [input, output]);
  const messages = new Set<DescMessage>();
  const add = (message: DescMessage): void => {
    if (!isOurs(message.typeName) || messages.has(message)) return;
    messages.add(message);
    for (const field of message.fields) if (field.message) add(field.message);
  };
  used.forEach(add);
  for (const service of services) {
    expectComment(service, openApi.tags.find(({ name }) => name === service.name)?.description);
  }
  for (const method of methods) {
    expectComment(method, post(`${method.parent.name}/${method.name}`).description);
  }
  for (const message of messages) {
    const schema = schemas[message.name]!;
    expectComment(message, schema.description);
    for (const field of message.fields) {
      expectComment(field, schema.properties[field.jsonName]?.description);
      if (field.enum) expectComment(field.enum, schemas[field.enum.name]?.description);
      for (const value of field.enum?.values ?? []) {
        expectComment(value, schemas[field.enum!.name]?.description);
        expect(schemas[field.enum!.name]?.enum).toContain(value.name);
      }
    }
  }
});

const ajv = new Ajv2020({ strict: false, allErrors: true });
formats.default(ajv);
ajv.addSchema({ $id: "api", ...openApi });

function schemaTakes(message: string, body: JsonObject): boolean {
  return ajv.getSchema(`api#/components/schemas/${message}`)!(body) as boolean;
}

function serviceTakes(message: string, body: JsonObject): boolean {
  const desc = registry.getMessage(`instantpayment.v1.${message}`)!;
  try {
    return createValidator().validate(desc, fromJson(desc, body)).kind === "valid";
  } catch {
    return false;
  }
}

test("Every request has an example that the schema and the service's validation take", () => {
  for (const method of methods) {
    const operation = post(`${method.parent.name}/${method.name}`);
    const [content] = Object.values(operation.requestBody!.content);
    const { name } = method.input;
    expect(content?.example, `tools/protoc-gen-openapi/examples.ts: ${name}`).toBeDefined();
    expect(serviceTakes(name, content!.example!), `${name} in the service`).toBe(true);
    expect(schemaTakes(name, content!.example!), `${name} in the schema`).toBe(true);
  }
});

const payment = post("PaymentService/CreatePayment").requestBody!.content["application/json"]!
  .example!;
const amount = { currencyCode: "EUR", amountMinor: "1" };

test.for<[string, JsonObject]>([
  ["no debtor", { debtorAccountId: undefined! }],
  ["a creditor that is no UUID", { creditorAccountId: "demo" }],
  ["no amount", { amount: undefined! }],
  ["an amount of zero", { amount: { ...amount, amountMinor: "0" } }],
  ["a negative amount", { amount: { ...amount, amountMinor: "-1" } }],
  ["an amount of 17 digits", { amount: { ...amount, amountMinor: "10000000000000000" } }],
  ["a fraction", { amount: { ...amount, amountMinor: "1.5" } }],
  ["a currency in small letters", { amount: { ...amount, currencyCode: "eur" } }],
  ["a key of 129 characters", { idempotencyKey: "k".repeat(129) }],
  ["a key that isn't ASCII", { idempotencyKey: "schlüssel" }],
  ["a reference of 36 characters", { endToEndId: "r".repeat(36) }],
  ["U+0000 in text", { remittanceInformation: "\0" }],
  ["a pair with an empty name", { metadata: { "": "value" } }],
  ["a pair with 513 characters", { metadata: { name: "v".repeat(513) } }],
  [
    "51 pairs",
    { metadata: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`n${i}`, ""])) },
  ],
  ["a time that is none", { expireTime: "tomorrow" }],
  ["a misspelt member", { amout: amount }],
])("A payment with %s is refused by the schema as by the service", ([, change]) => {
  const body = JSON.parse(JSON.stringify({ ...payment, ...change })) as JsonObject;
  expect(serviceTakes("CreatePaymentRequest", body)).toBe(false);
  expect(schemaTakes("CreatePaymentRequest", body)).toBe(false);
});

test("An idempotency key may come in the body or in the header", () => {
  const { parameters } = post("PaymentService/CreatePayment");
  expect(parameters).toContainEqual({ $ref: "#/components/parameters/IdempotencyKey" });
  expect(schemas["CreatePaymentRequest"]!.required).not.toContain("idempotencyKey");
  expect(post("PaymentService/GetPayment").parameters).not.toContainEqual(parameters[0]);
});

test("Every reason for an error is listed under its HTTP status, with cause and fix", () => {
  const reasons = Object.keys(ERROR_CATALOGUE) as ErrorReason[];
  expect(schemas["ErrorInfo"]!.properties["reason"]!.enum).toEqual(reasons);
  for (const reason of reasons) {
    const status = codeToHttpStatus(CODE_BY_REASON[reason]);
    // Nobody is there to read 499, and 501 is for paths that aren't in the document.
    if (status === 499 || status === 501) continue;
    const listed = openApi.components.responses[status]?.description;
    const { cause, fix } = ERROR_CATALOGUE[reason];
    expect(listed).toContain(`\`${reason}\` | \`${codeToString(CODE_BY_REASON[reason])}\``);
    expect(letters(listed)).toContain(letters(cause + fix));
  }
});

test("A rule that the generator can't translate fails the generation", () => {
  const set = clone(FileDescriptorSetSchema, image);
  expect(generate(set)).toEqual(openApi);
  const money = set.file.find(({ name }) => name === "instantpayment/v1/money.proto")!;
  const email = { case: "email", value: true } as const;
  const rules = create(FieldRulesSchema, { type: { case: "string", value: { wellKnown: email } } });
  setExtension(money.messageType[0]!.field[0]!.options!, fieldOption, rules);
  expect(() => generate(set)).toThrow("doesn't know the rule string.email");
});

test("A method that streams is called by POST alone, in Connect's form for streams", () => {
  const set = clone(FileDescriptorSetSchema, image);
  const file = set.file.find(({ name }) => name === "instantpayment/v1/payment_service.proto")!;
  file.service[0]!.method.find(({ name }) => name === "GetPayment")!.serverStreaming = true;
  const { paths } = generate(set) as unknown as OpenApi;
  const { get, post } = paths["/instantpayment.v1.PaymentService/GetPayment"]!;
  expect(get).toBeUndefined();
  expect(Object.keys(post.requestBody!.content)).toEqual(["application/connect+json"]);
  expect(post.description).toContain("use the SDK or a gRPC client");
});
