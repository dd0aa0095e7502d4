import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
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
      description: violation.message,
    }));
    const [first] = violations;
    const text = first && `${first.field}: ${first.description}`;
    throw new ServiceError("INVALID_FIELD", { message: text, violations });
  };
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
