import { describe, expect, test } from "vitest";
import { neededPartitions } from "../../src/scheduler/partitions.ts";

function namesOf(parent: string, now: string): string[] {
  return neededPartitions(new Date(now))
    .filter((partition) => partition.parent === parent)
    .map((partition) => partition.name);
}

describe("Needed partitions", () => {
  test("are this month's and three more for payments and entries, across the year's end", () => {
    expect(namesOf("payment", "2026-11-30T23:59:59.999Z")).toEqual([
      "payment_2026_11",
      "payment_2026_12",
      "payment_2027_01",
      "payment_2027_02",
    ]);
    expect(namesOf("entry", "2026-12-01T00:00:00Z")).toEqual([
      "entry_2026_12",
      "entry_2027_01",
      "entry_2027_02",
      "entry_2027_03",
    ]);
  });

  test("don't skip February on the last day of a long month", () => {
    expect(namesOf("payment", "2026-01-31T12:00:00Z")[1]).toBe("payment_2026_02");
  });

  test("are today's and seven more for events, across the year's end and a leap day", () => {
    const days = namesOf("payment_event", "2026-12-28T10:00:00Z");
    expect(days).toHaveLength(8);
    expect(days[0]).toBe("payment_event_2026_12_28");
    expect(days.at(-1)).toBe("payment_event_2027_01_04");
    const leap = namesOf("payment_event", "2028-02-27T10:00:00Z");
    expect(leap.slice(1, 4)).toEqual([
      "payment_event_2028_02_28",
      "payment_event_2028_02_29",
      "payment_event_2028_03_01",
    ]);
  });

  test("follow UTC, whatever the machine's time zone", () => {
    const before = process.env["TZ"];
    try {
      for (const zone of ["Pacific/Kiritimati", "America/Los_Angeles"]) {
        process.env["TZ"] = zone;
        expect(namesOf("payment", "2026-06-01T00:30:00Z")[0]).toBe("payment_2026_06");
        expect(namesOf("payment_event", "2026-05-31T23:30:00Z")[0]).toBe(
          "payment_event_2026_05_31",
        );
      }
    } finally {
      process.env["TZ"] = before;
      if (before === undefined) delete process.env["TZ"];
    }
  });

  test("lie side by side, with neither a gap nor an overlap", () => {
    for (const parent of ["payment", "entry", "payment_event"]) {
      const all = neededPartitions(new Date("2027-10-15T00:00:00Z"));
      const mine = all.filter((partition) => partition.parent === parent);
      mine.forEach(({ to }, i) => {
        if (mine[i + 1]) expect(mine[i + 1]?.from).toEqual(to);
      });
      expect(mine[0]!.from.getTime()).toBeLessThanOrEqual(Date.UTC(2027, 9, 15));
    }
  });
});
