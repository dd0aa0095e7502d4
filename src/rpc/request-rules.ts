import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { pathToString, type Path } from "@bufbuild/protobuf/reflect";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import { invalidField, ServiceError } from "../kernel/errors.ts";

/** Throws INVALID_FIELD with every violation if a request breaks the rules in its proto. */
export type CheckRequest = (schema: DescMessage, message: Message) => void;

/** Makes the check of the rules that the protos carry; safe to share. */
export function createRequestCheck(): CheckRequest {
  const validator = createValidator({ regexMatch: createRegexMatch() });
  return (schema, message) => {
    const result = validator.validate(schema, message);
    if (result.kind === "valid") return;
    if (result.kind === "error") throw result.error;
    const violations = result.violations.map((violation) => ({
      field: pathToString(violation.field),
      description: inWords(violation, message),
    }));
    const [first] = violations;
    const text = first && `${first.field}: ${first.description}`;
    throw new ServiceError("INVALID_FIELD", { message: text, violations });
  };
}

/** What the contract's patterns ask for. */
export const PATTERNS_IN_WORDS: Readonly<Record<string, string>> = {
  "^[ -~]{1,128}$": "must be 1 to 128 printable ASCII characters",
  "^[ -~]{0,128}$": "must be at most 128 printable ASCII characters",
  "^[!-~]*$": "must be printable ASCII characters without spaces",
  "^[A-Z]{3}$": 'must be three capital letters such as "EUR"',
  "^[^\\x00]*$": "must not contain the character U+0000",
};

function inWords(violation: Violation, message: Message): string {
  const [, pattern = ""] = /^does not match regex pattern `(.*)`$/.exec(violation.message) ?? [];
  const words = PATTERNS_IN_WORDS[pattern];
  if (words === undefined) return violation.message;
  return valueAt(message, violation.field) === "" ? `is missing: it ${words}` : words;
}

function valueAt(message: Message, path: Path): unknown {
  return path.reduce<unknown>((value, step) => {
    const key = step.kind === "list_sub" ? step.index : step.kind === "map_sub" ? step.key : step;
    const name = typeof key === "object" && "localName" in key ? key.localName : String(key);
    return (value as Readonly<Record<string, unknown>> | undefined)?.[name];
  }, message);
}

/** The field that the header `Idempotency-Key` may stand for; undefined if there is none. */
export function idempotencyFieldOf(schema: DescMessage): DescField | undefined {
  return schema.fields.find((field) => field.name === "idempotency_key");
}

/**
 * Puts the header `Idempotency-Key` into the request. Throws INVALID_FIELD if the request has
 * another key already. The key's own form is left to the rules of the proto.
 */
export function mergeIdempotencyKey(
  message: Message,
  field: DescField,
  header: string | string[] | undefined,
): void {
  if (header === undefined || header === "") return;
  const fields = message as unknown as Record<string, unknown>;
  const key = String(header);
  const present = fields[field.localName];
  if (present !== "" && present !== key) {
    throw invalidField(field.name, "differs from the header Idempotency-Key");
  }
  fields[field.localName] = key;
}

/** The patterns come from our own protos and are simple, so V8's engine is safe, and faster. */
function createRegexMatch(): (pattern: string, against: string) => boolean {
  const compiled = new Map<string, RegExp>();
  return (pattern, against) => {
    let regex = compiled.get(pattern);
    if (regex === undefined) compiled.set(pattern, (regex = new RegExp(pattern, "u")));
    return regex.test(against);
  };
}
