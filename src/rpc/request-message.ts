import { isUtf8 } from "node:buffer";
import {
  fromBinary,
  fromJsonString,
  type DescMessage,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import { ServiceError } from "../kernel/errors.ts";
import { createDecimalCheck } from "./decimal-integers.ts";
import { toJsonError } from "./json-errors.ts";

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
    throw toJsonError(schema, json, cause);
  }
}

function malformed(message: string, cause?: unknown): ServiceError {
  return new ServiceError("MALFORMED_REQUEST", { message, cause });
}
