import { expect, test } from "vitest";
import { readTraceparent } from "../../src/kernel/trace-context.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

test("A valid traceparent is taken as it is, one of a later version as this one has it", () => {
  expect(readTraceparent(`00-${TRACE}-${SPAN}-01`)).toBe(`00-${TRACE}-${SPAN}-01`);
  expect(readTraceparent(`00-${TRACE}-${SPAN}-00`)).toBe(`00-${TRACE}-${SPAN}-00`);
  expect(readTraceparent(`01-${TRACE}-${SPAN}-03`)).toBe(`00-${TRACE}-${SPAN}-01`);
  expect(readTraceparent(`cc-${TRACE}-${SPAN}-02-what-comes`)).toBe(`00-${TRACE}-${SPAN}-00`);
});

test.each([
  undefined,
  ["00", TRACE],
  "",
  "00",
  `ff-${TRACE}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-01-more`,
  `01-${TRACE}-${SPAN}-01more`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${"0".repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${"0".repeat(16)}-01`,
  `00-${TRACE}-${SPAN}-1`,
  `00-${TRACE}-${SPAN}`,
  `00-${TRACE}${SPAN}-01`,
  ` 00-${TRACE}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-01\n`,
  `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
])("What isn't a traceparent is none: %j", (header) => {
  expect(readTraceparent(header)).toBeUndefined();
});
