import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { invalidField } from "../kernel/errors.ts";
import { expectationOf, isWide } from "./json-errors.ts";

const DECIMAL = "-?(?:0|[1-9][0-9]*)";

/**
 * Makes the check that 64-bit integers sent as JSON text are plain decimal ones: the parser takes
 * whatever `BigInt()` does, so " 12", "+5" and "0x10" would be amounts. It throws INVALID_FIELD.
 * Schemas without such fields need no check: undefined.
 */
export function createDecimalCheck(schema: DescMessage): ((json: string) => void) | undefined {
  const names = new Set<string>();
  collectNames(schema, names, new Set());
  if (names.size === 0) return undefined;
  // Finds too much rather than too little (names in a map, for example), and is fast.
  const suspicious = new RegExp(`"(?:${[...names].join("|")})"\\s*:\\s*"(?!${DECIMAL}")`);
  return (json) => {
    if (suspicious.test(json)) assertDecimal(schema, JSON.parse(json), "");
  };
}

function collectNames(schema: DescMessage, names: Set<string>, seen: Set<DescMessage>): void {
  if (seen.has(schema)) return;
  seen.add(schema);
  for (const field of schema.fields) {
    if (isWide(field)) names.add(field.name).add(field.jsonName);
    if (field.message !== undefined) collectNames(field.message, names, seen);
  }
}

function assertDecimal(schema: DescMessage, json: unknown, prefix: string): void {
  if (typeof json !== "object" || json === null) return;
  const members = json as Readonly<Record<string, unknown>>;
  for (const field of schema.fields) {
    const value = members[field.jsonName] ?? members[field.name];
    const path = prefix + field.name;
    if (Array.isArray(value)) {
      value.forEach((each, index) => assertField(field, each, `${path}[${index}]`));
    } else {
      assertField(field, value, path);
    }
  }
}

function assertField(field: DescField, json: unknown, path: string): void {
  if (field.message !== undefined) assertDecimal(field.message, json, `${path}.`);
  if (isWide(field) && typeof json === "string" && !isDecimal(json)) {
    throw invalidField(path, `${expectationOf(field)}, not ${JSON.stringify(json)}`);
  }
}

function isDecimal(text: string): boolean {
  return new RegExp(`^${DECIMAL}$`).test(text);
}
