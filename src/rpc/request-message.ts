import { isUtf8 } from "node:buffer";
import {
  fromBinary,
  fromJsonString,
  type DescField,
  type DescMessage,
  type Message,
} from "@bufbuild/protobuf";
import { invalidField, ServiceError } from "../kernel/errors.ts";

/**
 * Reads a request message. JSON is taken strictly: UTF-8, no unknown or repeated member, no
 * unknown enum, at most 100 levels. Throws INVALID_FIELD where the value of a known field has the
 * wrong form, MALFORMED_REQUEST for everything else.
 */
export function parseMessage(schema: DescMessage, bytes: Buffer, isJson: boolean): Message {
  if (!isJson) {
    try {
      return fromBinary(schema, bytes);
    } catch (cause) {
      throw malformed("the body isn't a valid Protobuf message", cause);
    }
  }
  if (!isUtf8(bytes)) throw malformed("the body isn't UTF-8");
  try {
    return fromJsonString(schema, bytes.toString("utf8"), { ignoreUnknownFields: false });
  } catch (cause) {
    throw jsonError(schema, cause);
  }
}

function jsonError(schema: DescMessage, cause: unknown): ServiceError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const [, type, name, problem] =
    /^cannot decode field ([\w.]+)\.(\w+) from JSON: (.*)$/s.exec(text) ?? [];
  if (type === undefined || name === undefined) return malformed(text, cause);
  const isNamed = (field: DescField): boolean =>
    field.name === name && field.parent.typeName === type;
  return invalidField(pathTo(schema, isNamed, new Set()) ?? name, problem ?? text);
}

/** The proto path of the first field that matches, in the order of the schema. */
function pathTo(
  schema: DescMessage,
  matches: (field: DescField) => boolean,
  seen: Set<DescMessage>,
): string | undefined {
  if (seen.has(schema)) return undefined;
  seen.add(schema);
  for (const field of schema.fields) {
    if (matches(field)) return field.name;
    if (field.message === undefined) continue;
    const rest = pathTo(field.message, matches, seen);
    if (rest !== undefined) return `${field.name}.${rest}`;
  }
  return undefined;
}

function malformed(message: string, cause?: unknown): ServiceError {
  return new ServiceError("MALFORMED_REQUEST", { message, cause });
}
