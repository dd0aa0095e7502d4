import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type JsonObject,
  ScalarType,
} from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { commentOf } from "./comments.ts";
import { fieldLimits, messageNotes, requiredFields } from "./rules.ts";

const LONG = {
  type: "string",
  format: "int64",
  pattern: "^(0|-?[1-9][0-9]{0,18})$",
  examples: ["1250"],
};

/** How ProtoJSON writes a scalar. A scalar that isn't here is an error. */
const SCALARS: Partial<Record<ScalarType, JsonObject>> = {
  [ScalarType.STRING]: { type: "string" },
  [ScalarType.BOOL]: { type: "boolean" },
  [ScalarType.BYTES]: { type: "string", format: "byte" },
  [ScalarType.INT32]: { type: "integer", format: "int32" },
  [ScalarType.UINT32]: { type: "integer", format: "int64", minimum: 0, maximum: 4294967295 },
  [ScalarType.INT64]: LONG,
  [ScalarType.UINT64]: { ...LONG, pattern: "^(0|[1-9][0-9]{0,19})$" },
  [ScalarType.DOUBLE]: { type: "number", format: "double" },
};

/** How ProtoJSON writes the messages that have a form of their own. */
const WELL_KNOWN: Record<string, JsonObject> = {
  "google.protobuf.Timestamp": { type: "string", format: "date-time" },
  "google.protobuf.Duration": { type: "string", pattern: "^-?[0-9]{1,12}(\\.[0-9]{1,9})?s$" },
};

/** The name of a message or enum among the document's schemas. */
export function schemaName(desc: DescMessage | DescEnum): string {
  return desc.typeName.slice(desc.file.proto.package.length + 1);
}

/** A reference to a message's or enum's schema. */
export function schemaRef(desc: DescMessage | DescEnum): { $ref: string } {
  return { $ref: `#/components/schemas/${schemaName(desc)}` };
}

/** The messages and enums that a message needs, itself included, each once. */
export function reachable(
  desc: DescMessage,
  found = new Set<DescMessage | DescEnum>(),
): Set<DescMessage | DescEnum> {
  if (found.has(desc) || desc.typeName in WELL_KNOWN) return found;
  found.add(desc);
  for (const field of desc.fields) {
    if (field.enum !== undefined) found.add(field.enum);
    if (field.message !== undefined) reachable(field.message, found);
  }
  return found;
}

/** The schema of one value of a field: an item of a list, a value of a map, or the field itself. */
function valueSchema(field: DescField): JsonObject {
  if (field.enum !== undefined) return schemaRef(field.enum);
  if (field.message !== undefined) {
    return WELL_KNOWN[field.message.typeName] ?? schemaRef(field.message);
  }
  const scalar = SCALARS[field.scalar];
  if (scalar === undefined) throw new Error(`schema.ts of protoc-gen-openapi: ${String(field)}`);
  return scalar;
}

/** The schema of a field, with its comment and limits. */
function fieldSchema(field: DescField): JsonObject {
  const { keywords, notes } = fieldLimits(field);
  const { items, additionalProperties, ...own } = keywords as Record<string, JsonObject>;
  const description = [commentOf(field), ...notes].join(" ");
  const deprecated: JsonObject = field.deprecated ? { deprecated: true } : {};
  const value = valueSchema(field);
  switch (field.fieldKind) {
    case "list":
      return { type: "array", description, items: { ...value, ...items }, ...own, ...deprecated };
    case "map":
      return {
        type: "object",
        description,
        additionalProperties: { ...value, ...additionalProperties },
        ...own,
        ...deprecated,
      };
    default:
      return { ...value, description, ...own, ...deprecated };
  }
}

/** True if the field is in every answer: answers carry zero values, but no absent ones. */
function isAlwaysSent(field: DescField): boolean {
  return (
    field.fieldKind === "list" ||
    field.fieldKind === "map" ||
    field.presence === FeatureSet_FieldPresence.IMPLICIT
  );
}

/**
 * The schema of a message. In a request the required fields are those that validation asks for and
 * an unknown member is refused; an answer carries all plain fields and may get new ones.
 */
export function messageSchema(desc: DescMessage, isRequest: boolean): JsonObject {
  const needed = requiredFields(desc);
  const required = desc.fields
    .filter((field) => (isRequest ? needed.has(field) : isAlwaysSent(field)))
    .map((field) => field.jsonName);
  return {
    type: "object",
    description: [commentOf(desc), ...desc.oneofs.map(commentOf), ...messageNotes(desc)]
      .filter((part) => part !== "")
      .join("\n\n"),
    properties: Object.fromEntries(
      desc.fields.map((field) => [field.jsonName, fieldSchema(field)]),
    ),
    ...(required.length > 0 ? { required } : {}),
    ...(isRequest ? { additionalProperties: false } : {}),
  };
}

/** The schema of an enum: its names, with a comment for each. */
export function enumSchema(desc: DescEnum): JsonObject {
  const values = desc.values.map((value) => `- \`${value.name}\`: ${commentOf(value)}`);
  return {
    type: "string",
    description: `${commentOf(desc)}\n\n${values.join("\n")}`,
    enum: desc.values.map((value) => value.name),
  };
}
