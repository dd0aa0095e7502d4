import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromMinorUnits, toMinorUnits } from "../../sdk/src/node.ts";
import { positiveMinorUnits } from "../../sdk/src/money.ts";

describe("An amount in the SDK", () => {
  test.each([
    ["12.50", "EUR", 1250n, "12.50"],
    ["12.5", "EUR", 1250n, "12.50"],
    ["12", "EUR", 1200n, "12.00"],
    ["0.01", "EUR", 1n, "0.01"],
    ["-0.01", "EUR", -1n, "-0.01"],
    ["0", "EUR", 0n, "0.00"],
    ["1250", "JPY", 1250n, "1250"],
    ["-1250", "JPY", -1250n, "-1250"],
    ["1.234", "KWD", 1234n, "1.234"],
    ["90071992547409.91", "EUR", 9_007_199_254_740_991n, "90071992547409.91"],
  ])("%s %s is %s minor units", (value, currencyCode, minor, written) => {
    expect(toMinorUnits(value, currencyCode)).toBe(minor);
    expect(fromMinorUnits(minor, currencyCode)).toBe(written);
  });

  test("comes back as it was, in every currency and up to what a balance can be", () => {
    const minor = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(minor, fc.constantFrom("EUR", "JPY", "KWD"), (amount, currencyCode) => {
        expect(toMinorUnits(fromMinorUnits(amount, currencyCode), currencyCode)).toBe(amount);
      }),
    );
  });

  test.each([
    ["12.505", "EUR", /at most 2 decimals in EUR/],
    ["12.500", "EUR", /at most 2 decimals/],
    ["1.5", "JPY", /no decimals in JPY/],
    ["1e3", "EUR", /plain decimal/],
    ["1,000.00", "EUR", /separators/],
    ["12,50", "EUR", /plain decimal/],
    ["+1", "EUR", /plus sign/],
    ["--1", "EUR", /plain decimal/],
    [" 1", "EUR", /spaces/],
    ["1\n", "EUR", /plain decimal/],
    ["01", "EUR", /leading zeros/],
    ["1.", "EUR", /plain decimal/],
    [".5", "EUR", /plain decimal/],
    ["", "EUR", /plain decimal/],
    ["NaN", "EUR", /plain decimal/],
    ["٣", "EUR", /plain decimal/],
    ["1", "eur", /ISO 4217 code in capital letters/],
    ["1", "XXX", /ISO 4217/],
    ["1", "", /ISO 4217/],
  ])("is refused as %j %s, saying why", (value, currencyCode, why) => {
    expect(() => toMinorUnits(value, currencyCode)).toThrow(why);
  });

  test.each<[unknown, string]>([
    [12.5, "a number"],
    [12n, "a bigint"],
    [true, "a boolean"],
    [{}, "an object"],
    [["1"], "an array"],
    [null, "null"],
    [undefined, "undefined"],
  ])("is refused as %s, which isn't a string but %s", (value, kind) => {
    const make = () => Reflect.apply(toMinorUnits, undefined, [value, "EUR"]);
    expect(make).toThrow(`value must be a string such as "12.50", not ${kind}`);
    const inCurrency = () => Reflect.apply(toMinorUnits, undefined, ["1", value]);
    expect(inCurrency).toThrow(`capital letters such as "EUR", not ${kind}`);
  });

  test.each([
    ["0.00", /above zero/],
    ["-1", /above zero/],
    ["90071992547409.92", /at most 90071992547409\.91/],
  ])("of %s can't be paid", (value, why) => {
    const fields = { value: "amount.value", currencyCode: "amount.currencyCode" };
    expect(() => positiveMinorUnits(value, "EUR", fields)).toThrow(
      expect.objectContaining({
        reason: "INVALID_FIELD",
        message: expect.stringMatching(why),
        violations: [{ field: "amount.value", description: expect.stringMatching(why) }],
      }),
    );
  });
});
