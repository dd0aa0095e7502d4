import { isUtf8 } from "node:buffer";
import {
  fromBinary,
  fromJsonString,
  type DescField,
  type DescMessage,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import { invalidField, ServiceError } from "../kernel/errors.ts";
import { createDecimalCheck } from "./decimal-integers.ts";

/**
 * Reads a request message. JSON is taken strictly: UTF-8, no unknown or repeated member, no
 * unknown enum, at most 100 levels. Throws INVALID_FIELD where the value of a known field has the
 * wrong form, MALFORMED_REQUEST for everything else.
 */
export type ParseMessage = (bytes: Buffer, isJson: boolean) => Message;

/** Makes the reader of one type of message; `types` are those that an Any in JSON may hold. */
export function createMessageParser(schema: DescMessage, types: Registry): ParseMessage {
  const checkDecimals = createDecimalCheck(schema);
  return (bytes, isJson) => {
    if (!isJson) return parseBinary(schema, bytes);
    if (!isUtf8(bytes)) throw malformed("the body isn't UTF-8");
    const json = bytes.toString("utf8");
    const message = parseJson(schema, json, types);
    checkDecimals?.(json);
    return message;
  };
}

function parseBinary(schema: DescMessage, bytes: Buffer): Message {
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    throw malformed("the body isn't a valid Protobuf message", cause);
  }
}

function parseJson(schema: DescMessage, json: string, registry: Registry): Message {
  try {
    return fromJsonString(schema, json, { ignoreUnknownFields: false, registry });
  } catch (cause) {
    throw jsonError(schema, cause);
  }
}

/** The parser tells what it choked on in words alone, so that's where the field is found. */
function jsonError(schema: DescMessage, cause: unknown): ServiceError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const [, subject, problem] = /^cannot decode (.+?) from JSON: (.*)$/s.exec(text) ?? [];
  if (subject === undefined || problem === undefined) return malformed(text, cause);
  const paths = pathsTo(schema, (field) => isAbout(subject, field), new Set());
  const [path] = paths;
  // Of two fields of one type there's no telling which it was.
  return path !== undefined && paths.length === 1
    ? invalidField(path, problem)
    : malformed(text, cause);
}

function isAbout(subject: string, field: DescField): boolean {
  if (subject === `field ${field.parent.typeName}.${field.name}`) return true;
  if (subject === `enum ${field.enum?.typeName}`) return true;
  const isWellKnown = field.message?.typeName.startsWith("google.protobuf.") ?? false;
  return isWellKnown && subject === `message ${field.message?.typeName}`;
}

/** The proto paths of all fields that match, each message type entered once. */
function pathsTo(
  schema: DescMessage,
  matches: (field: DescField) => boolean,
  seen: Set<DescMessage>,
): string[] {
  if (seen.has(schema)) return [];
  seen.add(schema);
  return schema.fields.flatMap((field) => {
    if (matches(field)) return [field.name];
    if (field.message === undefined) return [];
    return pathsTo(field.message, matches, seen).map((rest) => `${field.name}.${rest}`);
  });
}

function malformed(message: string, cause?: unknown): ServiceError {
  return new ServiceError("MALFORMED_REQUEST", { message, cause });
}
