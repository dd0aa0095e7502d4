import { expect, test } from "vitest";
import { uuidv7, uuidv7TimeMs } from "../../src/kernel/ids.ts";

test("An id is a UUID of version 7 that carries its time", () => {
  for (const timeMs of [0, 1, 1_763_800_000_000, 253_402_300_799_999]) {
    const id = uuidv7(timeMs);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(uuidv7TimeMs(id)).toBe(timeMs);
  }
});

test("Ids of one millisecond differ, and sort by time across milliseconds", () => {
  const ids = Array.from({ length: 10_000 }, () => uuidv7(1_763_800_000_000));
  expect(new Set(ids).size).toBe(ids.length);
  expect(uuidv7(1_763_800_000_001) > uuidv7(1_763_800_000_000)).toBe(true);
});

test("A UUID of another version, or with a time after the year 9999, carries no time", () => {
  expect(uuidv7TimeMs(uuidv7(253_402_300_800_000))).toBeUndefined();
  expect(uuidv7TimeMs("9b2b7c62-8f0e-4c39-8a0f-0f3f5f1f2a11")).toBeUndefined();
});
