import { currencyDigits } from "../../src/kernel/currency.ts";
import { MAX_AMOUNT_MINOR } from "../../src/kernel/money.ts";
import { invalidInput, shown } from "./error.ts";
import type { MembersOf } from "./members.ts";

/** An exact amount as people write it. Plain data: it survives JSON as it is. */
export interface Money {
  /** Decimal, with a point: `"12.50"` for `EUR`, `"1250"` for `JPY`. Never a JavaScript number. */
  readonly value: string;
  /** The currency's code of ISO 4217, for example `EUR`. */
  readonly currencyCode: string;
}

/** The members of Money. */
export const MONEY: MembersOf<Money> = { value: true, currencyCode: true };

/** What errors call the two. */
interface MoneyFields {
  readonly value: string;
  readonly currencyCode: string;
}

const FIELDS: MoneyFields = { value: "value", currencyCode: "currencyCode" };
const DECIMAL = /^-?(?:0|[1-9][0-9]*)(?:\.([0-9]+))?$/;

/**
 * The amount in minor units, exactly: `("12.5", "EUR")` is `1250n`. Throws INVALID_FIELD if the
 * currency is unknown or the value isn't a plain decimal with at most the currency's digits:
 * no exponent, no plus sign, no separators, no spaces, no leading zeros.
 */
export function toMinorUnits(value: string, currencyCode: string, fields = FIELDS): bigint {
  const digits = digitsOf(currencyCode, fields.currencyCode);
  const field = fields.value;
  if (typeof value !== "string") {
    throw invalidInput(field, `must be a string such as "12.50", not ${shown(value)}`);
  }
  const match = DECIMAL.exec(value);
  if (!match) {
    throw invalidInput(
      field,
      `must be a plain decimal such as "12.50", not ${shown(value)}: ` +
        "no exponent, separators, spaces, plus sign or leading zeros",
    );
  }
  const fraction = match[1] ?? "";
  if (fraction.length > digits) {
    const most = digits === 0 ? "no decimals" : `at most ${digits} decimals`;
    throw invalidInput(field, `must have ${most} in ${currencyCode}, not ${shown(value)}`);
  }
  return BigInt(value.replace(".", "") + "0".repeat(digits - fraction.length));
}

/**
 * The amount as a decimal string with all of the currency's digits: `(1250n, "EUR")` is `"12.50"`.
 * Throws INVALID_FIELD if the currency is unknown.
 */
export function fromMinorUnits(minor: bigint, currencyCode: string): string {
  const digits = digitsOf(currencyCode, FIELDS.currencyCode);
  const sign = minor < 0n ? "-" : "";
  const text = (minor < 0n ? -minor : minor).toString().padStart(digits + 1, "0");
  if (digits === 0) return sign + text;
  return `${sign}${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** As toMinorUnits, for what is paid or allowed: above zero and at most 2^53 - 1 minor units. */
export function positiveMinorUnits(
  value: string,
  currencyCode: string,
  fields: MoneyFields,
): bigint {
  const minor = toMinorUnits(value, currencyCode, fields);
  const given = shown(value);
  if (minor < 1n) throw invalidInput(fields.value, `must be above zero, not ${given}`);
  if (minor > MAX_AMOUNT_MINOR) {
    const most = fromMinorUnits(MAX_AMOUNT_MINOR, currencyCode);
    throw invalidInput(fields.value, `must be at most ${most}, not ${given}`);
  }
  return minor;
}

function digitsOf(currencyCode: string, field: string): number {
  const digits = currencyDigits(currencyCode);
  if (digits !== undefined) return digits;
  throw invalidInput(
    field,
    `must be an ISO 4217 code in capital letters such as "EUR", not ${shown(currencyCode)}`,
  );
}
