import type { DescEnum, DescFile, DescMessage, JsonObject, Registry } from "@bufbuild/protobuf";
import type { DescMethod } from "@bufbuild/protobuf";
import { commentOf } from "./comments.ts";
import { errorResponses, errorSchemas } from "./errors.ts";
import { INFO, SECURITY_SCHEMES } from "./info.ts";
import { PARAMETERS, pathItem, pathOf } from "./operation.ts";
import { enumSchema, messageSchema, reachable, schemaName } from "./schema.ts";

const PACKAGE = "instantpayment.v1";

/** Services that are read first; the others follow by name. */
const FIRST = ["PaymentService", "AccountService"];

function rank(service: string): number {
  const place = FIRST.indexOf(service);
  return place === -1 ? FIRST.length : place;
}

/**
 * The contract as an OpenAPI 3.1 document: the services of instantpayment.v1 among the files, in a
 * stable order. `registry` holds the messages that the examples of errors are made of. Throws for
 * what has no translation yet (a scalar, a rule, a second schema of the same name).
 */
export function openApiDocument(files: readonly DescFile[], registry: Registry): JsonObject {
  const services = files
    .filter((file) => file.proto.package === PACKAGE)
    .flatMap((file) => file.services)
    .toSorted((a, b) => rank(a.name) - rank(b.name) || (a.name < b.name ? -1 : 1));
  const methods = services.flatMap((service) => service.methods);
  const scopeOption = registry.getExtension(`${PACKAGE}.required_scope`);
  if (scopeOption === undefined) throw new Error("the files lack the option (required_scope)");
  return {
    openapi: "3.1.0",
    info: INFO,
    servers: [{ url: "/", description: "The instance that serves this page." }],
    security: [{ apiKey: [] }],
    tags: services.map((service) => ({ name: service.name, description: commentOf(service) })),
    paths: Object.fromEntries(
      methods.map((method) => [pathOf(method), pathItem(method, scopeOption)]),
    ),
    components: {
      securitySchemes: SECURITY_SCHEMES,
      parameters: PARAMETERS,
      responses: errorResponses(registry),
      schemas: schemas(methods),
    },
  };
}

function schemas(methods: readonly DescMethod[]): JsonObject {
  const inRequests = closure(methods.map((method) => method.input));
  const all = closure(methods.flatMap((method) => [method.input, method.output]));
  const result = errorSchemas();
  for (const desc of [...all].toSorted((a, b) => (a.typeName < b.typeName ? -1 : 1))) {
    const name = schemaName(desc);
    if (name in result) throw new Error(`Two schemas are named ${name}`);
    result[name] =
      desc.kind === "enum" ? enumSchema(desc) : messageSchema(desc, inRequests.has(desc));
  }
  return result;
}

function closure(roots: readonly DescMessage[]): Set<DescMessage | DescEnum> {
  const found = new Set<DescMessage | DescEnum>();
  for (const root of roots) reachable(root, found);
  return found;
}
