import {
  create,
  type DescField,
  type DescMessage,
  type DescOneof,
  getOption,
  type JsonObject,
  type JsonValue,
  toJson,
} from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import {
  field as fieldOption,
  FieldRulesSchema,
  message as messageOption,
  MessageRulesSchema,
  oneof as oneofOption,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { withJsonNames } from "./comments.ts";

/** What rules come to: keywords of JSON Schema, and sentences where there is no keyword. */
export interface Limits {
  readonly keywords: JsonObject;
  readonly notes: string[];
}

type Translate = (value: JsonValue) => JsonObject | string;

/** A sentence that ends with the value: At most `7`. */
const say =
  (start: string): Translate =>
  (value) =>
    `${start} \`${JSON.stringify(value).replaceAll('"', "")}\`.`;

const NUMBER: Record<string, Translate> = {
  gte: (value) => ({ minimum: value }),
  gt: (value) => ({ exclusiveMinimum: value }),
  lte: (value) => ({ maximum: value }),
  lt: (value) => ({ exclusiveMaximum: value }),
  in: (value) => ({ enum: value }),
};

// These are strings in JSON, where no keyword limits a number.
const NUMBER_IN_STRING: Record<string, Translate> = {
  gte: say("At least"),
  gt: say("More than"),
  lte: say("At most"),
  lt: say("Less than"),
};

/** The rules of protovalidate that the contract may use, by type; any other one is an error. */
const TRANSLATIONS: Record<string, Record<string, Translate>> = {
  string: {
    minLen: (value) => ({ minLength: Number(value) }),
    maxLen: (value) => ({ maxLength: Number(value) }),
    len: (value) => ({ minLength: Number(value), maxLength: Number(value) }),
    pattern: (value) => ({ pattern: value }),
    uuid: () => ({ format: "uuid" }),
    uri: () => ({ format: "uri" }),
    in: (value) => ({ enum: value }),
    prefix: say("Starts with"),
    maxBytes: say("Bytes in UTF-8, at most"),
  },
  int32: NUMBER,
  uint32: NUMBER,
  double: NUMBER,
  int64: NUMBER_IN_STRING,
  uint64: NUMBER_IN_STRING,
  duration: NUMBER_IN_STRING,
  bool: { const: (value) => ({ const: value }) },
  enum: {
    definedOnly: () => ({}),
    in: say("Only the values numbered"),
    notIn: say("Not the values numbered"),
  },
  timestamp: {
    gte: say("Not before"),
    lte: say("Not after"),
    gtNow: () => "In the future.",
    ltNow: () => "In the past.",
  },
  repeated: {
    minItems: (value) => ({ minItems: Number(value) }),
    maxItems: (value) => ({ maxItems: Number(value) }),
    unique: (value) => ({ uniqueItems: value }),
    items: (value) => ({ items: nested(value) }),
  },
  map: {
    minPairs: (value) => ({ minProperties: Number(value) }),
    maxPairs: (value) => ({ maxProperties: Number(value) }),
    keys: (value) => ({ propertyNames: nested(value) }),
    values: (value) => ({ additionalProperties: nested(value) }),
  },
};

function nested(rules: JsonValue): JsonObject {
  const { keywords, notes } = translate(rules as JsonObject);
  return notes.length === 0 ? keywords : { ...keywords, description: notes.join(" ") };
}

function translate(rules: JsonObject): Limits {
  const keywords: JsonObject = {};
  const notes: string[] = [];
  for (const [type, limits] of Object.entries(rules)) {
    if (type === "required" || type === "ignore") continue; // see requiredFields
    if (type === "cel" || type === "celExpression") {
      notes.push(...celNotes(limits));
      continue;
    }
    // Upper limits come first in the rules; a reader expects the lower one.
    for (const [rule, value] of Object.entries(limits as JsonObject).toReversed()) {
      const limit = TRANSLATIONS[type]?.[rule]?.(value);
      if (limit === undefined) {
        throw new Error(`rules.ts of protoc-gen-openapi doesn't know the rule ${type}.${rule}`);
      }
      if (typeof limit === "string") notes.push(limit);
      else Object.assign(keywords, limit);
    }
  }
  return { keywords, notes };
}

function celNotes(rules: JsonValue = []): string[] {
  return (rules as (string | { message?: string; expression: string })[]).map((rule) =>
    typeof rule === "string"
      ? `It holds: \`${rule}\`.`
      : (rule.message ?? `It holds: \`${rule.expression}\`.`),
  );
}

/** A field's rules. Throws for a rule that has no translation yet. */
export function fieldLimits(desc: DescField): Limits {
  const rules = toJson(FieldRulesSchema, getOption(desc, fieldOption)) as JsonObject;
  const limits = translate(rules);
  const long = (rules["int64"] ?? rules["uint64"]) as { gte?: string; lte?: string } | undefined;
  return long === undefined
    ? limits
    : { ...limits, keywords: { pattern: digitsPattern(long.gte, long.lte) } };
}

/** The pattern of a 64-bit integer within limits, as exact as its number of digits. */
function digitsPattern(gte = "-1", lte = "9223372036854775807"): string {
  const rest = `[0-9]{0,${lte.length - 1}}`;
  if (BigInt(gte) > 0n) return `^[1-9]${rest}$`;
  return BigInt(gte) === 0n ? `^(0|[1-9]${rest})$` : `^(0|-?[1-9]${rest})$`;
}

/** A message's rules over several fields, in sentences. */
export function messageNotes(desc: DescMessage): string[] {
  const rules = toJson(MessageRulesSchema, getOption(desc, messageOption)) as JsonObject;
  const oneofs = (rules["oneof"] ?? []) as { fields: string[]; required?: boolean }[];
  return [
    ...celNotes(rules["cel"]),
    ...celNotes(rules["celExpression"]),
    ...oneofs.map(({ fields, required }) => withJsonNames(oneOf(fields, required))),
    ...desc.oneofs.map((oneof) => oneOf(...oneofFields(oneof))),
  ];
}

function oneofFields(desc: DescOneof): [string[], boolean] {
  return [desc.fields.map((field) => field.jsonName), getOption(desc, oneofOption).required];
}

function oneOf(fields: string[], required = false): string {
  return `${required ? "Exactly" : "At most"} one of \`${fields.join("`, `")}\`.`;
}

/**
 * The fields that a request can't leave out: those that the validator misses in an empty one. Not
 * the idempotency key, since a header may carry it.
 */
export function requiredFields(desc: DescMessage): Set<DescField> {
  const { error, violations } = createValidator().validate(desc, create(desc));
  if (error !== undefined && violations === undefined) throw error;
  const missing = (violations ?? []).flatMap(({ field: [first] }) =>
    first?.kind === "field" && first.name !== "idempotency_key" ? [first] : [],
  );
  return new Set(missing);
}
