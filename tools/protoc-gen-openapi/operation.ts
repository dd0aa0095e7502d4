import {
  type DescMessage,
  type DescExtension,
  type DescMethod,
  fromJson,
  getOption,
  type JsonObject,
  type JsonValue,
  toJson,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { commentOf, summaryOf } from "./comments.ts";
import { errorRefs } from "./errors.ts";
import { REQUEST_EXAMPLES, RESPONSE_EXAMPLES } from "./examples.ts";
import { schemaRef } from "./schema.ts";

/** The path at which Connect serves a method. */
export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** What can be done at a method's path: POST, and GET for what has no side effects. */
export function pathItem(method: DescMethod, scopeOption: DescExtension): JsonObject {
  const readOnly = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  const canGet = readOnly && method.methodKind === "unary";
  const scope = String(getOption(method, scopeOption));
  const access = { security: [{ apiKey: [scope] }], "x-required-scope": scope };
  return {
    ...(canGet ? { get: { ...getOperation(method, scope), ...access } } : {}),
    post: { ...postOperation(method, scope, readOnly), ...access },
  };
}

function postOperation(method: DescMethod, scope: string, readOnly: boolean): JsonObject {
  const isUnary = method.methodKind === "unary";
  const mediaType = isUnary ? "application/json" : "application/connect+json";
  const example = REQUEST_EXAMPLES[method.input.name];
  const hasKey = method.input.fields.some((field) => field.name === "idempotency_key");
  return {
    ...describe(method, scope, isUnary ? "" : STREAM_NOTE),
    operationId: method.localName,
    parameters: [
      ...(hasKey && isUnary ? [parameter("IdempotencyKey")] : []),
      ...(method.parent.name === "PaymentService" && !readOnly ? [parameter("Traceparent")] : []),
      parameter(isUnary ? "Timeout" : "StreamTimeout"),
    ],
    requestBody: {
      required: true,
      content: { [mediaType]: { schema: schemaRef(method.input), ...withExample(example) } },
    },
    responses: responses(method, mediaType, !readOnly),
  };
}

function getOperation(method: DescMethod, scope: string): JsonObject {
  const example = REQUEST_EXAMPLES[method.input.name];
  const message = {
    name: "message",
    in: "query",
    required: true,
    description: "The request in JSON.",
    content: { "application/json": { schema: schemaRef(method.input), ...withExample(example) } },
  };
  return {
    ...describe(method, scope, "The same as POST, with the request in the query."),
    operationId: `${method.localName}ByQuery`,
    parameters: [parameter("Encoding"), message, parameter("Timeout")],
    responses: responses(method, "application/json", false),
  };
}

const STREAM_NOTE =
  "The answer is a stream. Over HTTP each message is enveloped as Connect's protocol has it " +
  "(one byte of flags, four of length), so use the SDK or a gRPC client, not this page or curl.";

function describe(method: DescMethod, scope: string, note: string): JsonObject {
  const access = `Needs a key with the scope \`${scope}\`.`;
  return {
    tags: [method.parent.name],
    summary: summaryOf(method),
    description: [commentOf(method), access, note].filter((part) => part !== "").join("\n\n"),
    ...(method.deprecated ? { deprecated: true } : {}),
  };
}

function responses(method: DescMethod, mediaType: string, changesSomething: boolean): JsonObject {
  const examples = Object.entries(RESPONSE_EXAMPLES[method.output.name] ?? {}).map(
    ([name, { summary, value }]) => [name, { summary, value: answer(method.output, value) }],
  );
  const content = {
    schema: schemaRef(method.output),
    ...(examples.length > 0 ? { examples: Object.fromEntries(examples) as JsonObject } : {}),
  };
  return {
    200: { description: commentOf(method.output), content: { [mediaType]: content } },
    ...errorRefs(changesSomething),
  };
}

/** A message as the service answers it: with its zero values. */
function answer(desc: DescMessage, value: JsonObject): JsonValue {
  return toJson(desc, fromJson(desc, value), { alwaysEmitImplicit: true });
}

function withExample(example: JsonValue | undefined): JsonObject {
  return example === undefined ? {} : { example };
}

function parameter(name: keyof typeof PARAMETERS): JsonObject {
  return { $ref: `#/components/parameters/${name}` };
}

/** The parameters that methods share. */
export const PARAMETERS = {
  IdempotencyKey: {
    name: "Idempotency-Key",
    in: "header",
    description:
      "The idempotency key, instead of the field `idempotencyKey`. Both and different is refused.",
    schema: { type: "string", pattern: "^[ -~]{1,128}$" },
  },
  Traceparent: {
    name: "traceparent",
    in: "header",
    description:
      "The trace that the call belongs to (W3C Trace Context). Its events in Kafka carry it; one " +
      "that isn't valid is ignored.",
    schema: { type: "string", example: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
  },
  Timeout: {
    name: "Connect-Timeout-Ms",
    in: "header",
    description: "How many milliseconds the caller waits: 5000 if absent, cut to 30000 if longer.",
    schema: { type: "integer", minimum: 1, maximum: 9_999_999_999 },
  },
  StreamTimeout: {
    name: "Connect-Timeout-Ms",
    in: "header",
    description:
      "After how many milliseconds the stream ends with DEADLINE_EXCEEDED. Absent: never.",
    schema: { type: "integer", minimum: 1, maximum: 9_999_999_999 },
  },
  Encoding: {
    name: "encoding",
    in: "query",
    required: true,
    description: "How `message` is written.",
    schema: { type: "string", enum: ["json"], default: "json" },
  },
} satisfies JsonObject;
