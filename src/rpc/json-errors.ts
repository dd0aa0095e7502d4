import { fromJson, ScalarType, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { invalidField, ServiceError } from "../kernel/errors.ts";

const WIDE_INTEGERS: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);

/** True for 64-bit integers and lists of them, which are strings in JSON. */
export function isWide(field: DescField): boolean {
  return (
    (field.fieldKind === "scalar" || field.fieldKind === "list") &&
    field.scalar !== undefined &&
    WIDE_INTEGERS.has(field.scalar)
  );
}

/** What a field takes, in words; undefined where the parser's own words are good enough. */
export function expectationOf(field: DescField): string | undefined {
  if (isWide(field)) {
    const unit = field.name.endsWith("_minor") ? " of minor units" : "";
    return `must be a whole number${unit} in decimal, of at most 64 bits, such as "1250"`;
  }
  if (field.enum !== undefined) return `must be ${valuesOf(field.enum.values)}`;
  if (field.message?.typeName === "google.protobuf.Duration") {
    return 'must be a number of seconds such as "3600s"';
  }
  if (field.message?.typeName === "google.protobuf.Timestamp") {
    return 'must be a time of RFC 3339 such as "2026-11-22T17:28:25Z"';
  }
  return undefined;
}

/** An error's text is cut after 200 characters. */
const LONGEST_LIST = 150;

/** All but the one that stands for none. */
function valuesOf(values: readonly { readonly number: number; readonly name: string }[]): string {
  const names = values.filter(({ number }) => number !== 0).map(({ name }) => name);
  const list = names.join(" or ");
  if (list.length <= LONGEST_LIST) return list;
  const prefix = /^.*_/.exec(names[0]!)![0];
  return `${prefix}… with one of ${names.map((name) => name.slice(prefix.length)).join(", ")}`;
}

/**
 * What the parser of JSON threw, as an error of the catalogue: INVALID_FIELD where the value of a
 * known field has the wrong form, otherwise MALFORMED_REQUEST. The parser tells what it choked on
 * in words alone, so the field is looked for by them, in the schema and then in the JSON.
 */
export function toJsonError(schema: DescMessage, json: string, cause: unknown): ServiceError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const malformed = new ServiceError("MALFORMED_REQUEST", { message: text, cause });
  const [, subject, problem] = /^cannot decode (.+?) from JSON: (.*)$/s.exec(text) ?? [];
  if (subject === undefined || problem === undefined) return malformed;
  const candidates = fieldsTo(schema, (field) => isAbout(subject, field), []);
  const [first, second] = candidates;
  if (first === undefined) return malformed;
  const body: unknown = JSON.parse(json);
  const culprit = candidates
    .flatMap((fields) => placesOf(fields, body, ""))
    .find((place) => !isReadable(place));
  if (culprit !== undefined) return invalidField(culprit.path, describe(culprit, problem));
  // What can be read and is wrong nevertheless was given under both names of one field.
  if (second !== undefined) return malformed;
  return invalidField(first.map(({ name }) => name).join("."), problem);
}

function isAbout(subject: string, field: DescField): boolean {
  if (subject === `field ${field.parent.typeName}.${field.name}`) return true;
  if (subject === `enum ${field.enum?.typeName}`) return true;
  const isWellKnown = field.message?.typeName.startsWith("google.protobuf.") ?? false;
  return isWellKnown && subject === `message ${field.message?.typeName}`;
}

/** The ways to all fields that match; no message type is entered within itself. */
function fieldsTo(
  schema: DescMessage,
  matches: (field: DescField) => boolean,
  within: readonly DescMessage[],
): DescField[][] {
  if (within.includes(schema)) return [];
  return schema.fields.flatMap((field) => {
    if (matches(field)) return [[field]];
    if (field.message === undefined) return [];
    return fieldsTo(field.message, matches, [...within, schema]).map((rest) => [field, ...rest]);
  });
}

/** A value in the JSON that is a field's. */
interface Place {
  readonly path: string;
  readonly field: DescField;
  readonly value: unknown;
}

function placesOf([field, ...rest]: DescField[], json: unknown, prefix: string): Place[] {
  if (field === undefined || typeof json !== "object" || json === null) return [];
  const members = json as Readonly<Record<string, unknown>>;
  const value = members[field.jsonName] ?? members[field.name];
  const path = prefix + field.name;
  if (value === undefined) return [];
  if (rest.length === 0) return [{ path, field, value }];
  if (!Array.isArray(value)) return placesOf(rest, value, `${path}.`);
  return value.flatMap((each, index) => placesOf(rest, each, `${path}[${index}].`));
}

function isReadable({ field, value }: Place): boolean {
  try {
    fromJson(field.parent, { [field.jsonName]: value as never });
    return true;
  } catch {
    return false;
  }
}

function describe({ field, value }: Place, problem: string): string {
  const isList = field.fieldKind === "list";
  const expectation = expectationOf(field);
  if (expectation === undefined || isList !== Array.isArray(value)) return problem;
  return `${expectation}, not ${JSON.stringify(value)}`;
}
