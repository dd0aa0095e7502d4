import type { DescMessage, Message, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, ScalarType, toBinary } from "@bufbuild/protobuf";
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import { durationFromMs, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { InstantPaymentError, invalidInput, shown } from "./error.ts";
import { sdkFieldOf } from "./field-names.ts";

type EnumValues = Readonly<Record<string, number>>;

/** The names of a generated enum, without the one that stands for "not given". */
export type NameIn<E extends EnumValues> = Exclude<keyof E & string, "UNSPECIFIED">;

/**
 * A name that came from the service. UNRECOGNIZED: the service is newer than this package and
 * knows values that this package doesn't.
 */
export type NameOut<E extends EnumValues> = NameIn<E> | "UNRECOGNIZED";

/** The name of an enum's number; undefined for 0, which stands for "not given". */
export function nameOf<E extends EnumValues>(values: E, value: number): NameOut<E> | undefined {
  if (value === 0) return undefined;
  return namesOf(values).find((name) => values[name] === value) ?? "UNRECOGNIZED";
}

/** The number of an enum's name, 0 if it isn't given. Throws INVALID_FIELD for another name. */
export function numberOf<E extends EnumValues>(
  values: E,
  name: NameIn<E> | undefined,
  field: string,
): E[keyof E] {
  const names = namesOf(values);
  if (name !== undefined && !names.includes(name)) {
    throw invalidInput(field, `must be one of ${names.join(", ")}, not ${shown(name)}`);
  }
  return values[name ?? "UNSPECIFIED"];
}

function namesOf<E extends EnumValues>(values: E): NameIn<E>[] {
  return Object.keys(values).filter((key): key is NameIn<E> => key !== "UNSPECIFIED");
}

/** A moment as a Date, to the millisecond. Only for fields that the service always fills. */
export function dateOf(timestamp: Timestamp | undefined): Date {
  return timestamp ? timestampDate(timestamp) : new Date(Number.NaN);
}

/** A Date for the wire. Throws INVALID_FIELD for one that isn't a date. */
export function timestampOf(date: Date | undefined, field: string): Timestamp | undefined {
  if (date === undefined) return undefined;
  if (!(date instanceof Date) || Number.isNaN(date.getTime())) {
    throw invalidInput(field, "must be a valid Date");
  }
  return timestampFromDate(date);
}

/** Milliseconds for the wire. Throws INVALID_FIELD unless it's a whole number from 0 on. */
export function durationOf(ms: number | undefined, field: string): Duration | undefined {
  if (ms === undefined) return undefined;
  if (!Number.isSafeInteger(ms) || ms < 0) {
    throw invalidInput(field, "must be a whole number of milliseconds");
  }
  return durationFromMs(ms);
}

/** A count or sequence as a number, which JSON can hold. Throws RangeError above 2^53 - 1. */
export function countOf(count: bigint): number {
  if (count > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError(`${count} is above 2^53 - 1`);
  return Number(count);
}

/** A count or sequence for the wire. Throws INVALID_FIELD if it isn't a whole number. */
export function bigintOf(count: number | undefined, field: string): bigint | undefined {
  if (count === undefined) return undefined;
  if (!Number.isSafeInteger(count)) throw invalidInput(field, "must be a whole number");
  return BigInt(count);
}

/**
 * A request that is sure to fit the wire, so that what fails later is never the caller's types.
 * `at` goes before the names of fields in errors. Throws INVALID_FIELD.
 */
export function requestOf<D extends DescMessage>(
  schema: D,
  init: MessageInitShape<D>,
  at = "",
): MessageShape<D> {
  try {
    const message = create(schema, init);
    toBinary(schema, message);
    refuseOtherTypes(schema, message, at);
    return message;
  } catch (cause) {
    if (cause instanceof InstantPaymentError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    const [, type, field, problem] = UNENCODABLE.exec(message) ?? [];
    if (field === undefined) throw invalidInput(at || schema.name, message);
    const parent = schema.fields.find((one) => one.message?.typeName === type);
    const path = parent ? `${parent.name}.${field}` : field;
    throw invalidInput(at + sdkFieldOf(path), `can't be sent: ${problem}`);
  }
}

/** How Protobuf-ES tells the message, its field and what is wrong with it. */
const UNENCODABLE = /^cannot encode field (\S+)\.(\w+) to binary: (.*)$/s;

/** Of these Protobuf-ES takes anything: `"false"` would be sent as true. */
const TYPES: ReadonlyMap<ScalarType, string> = new Map([
  [ScalarType.BOOL, "boolean"],
  [ScalarType.STRING, "string"],
]);

function refuseOtherTypes(schema: DescMessage, message: Message, at: string): void {
  for (const field of schema.fields) {
    const type = field.fieldKind === "scalar" ? TYPES.get(field.scalar) : undefined;
    const value: unknown = Reflect.get(message, field.localName);
    if (type === undefined || value === undefined || typeof value === type) continue;
    throw invalidInput(at + sdkFieldOf(field.name), `must be a ${type}, not ${shown(value)}`);
  }
}
