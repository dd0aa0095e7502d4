import { describe, expect, test } from "vitest";
import { decodePageToken, encodePageToken, pageLimit } from "../../src/kernel/page.ts";

const QUERY = ["ListThings", "alice", { status: "OPEN" }];

test("A page has 50 rows unless it's told, and never more than 1,000", () => {
  expect([0, 1, 999, 1_000, 1_001, 2_147_483_647].map(pageLimit)).toEqual([
    50, 1, 999, 1_000, 1_000, 1_000,
  ]);
});

describe("A page token", () => {
  test("gives back the place it was made for", () => {
    const cursor = ["2026-01-01T00:00:00.000Z", `"tricky" \u{1f4b6}\n`];
    expect(decodePageToken(QUERY, encodePageToken(QUERY, cursor))).toEqual(cursor);
  });

  test("that is empty means the first page", () => {
    expect(decodePageToken(QUERY, "")).toBeUndefined();
  });

  const others: [string, unknown][] = [
    ["caller", ["ListThings", "bob", { status: "OPEN" }]],
    ["method", ["ListOthers", "alice", { status: "OPEN" }]],
    ["filter", ["ListThings", "alice", { status: "CLOSED" }]],
    ["time", ["ListThings", "alice", { status: "OPEN", startTime: new Date(0) }]],
  ];
  test.each(others)("is refused for another %s", (_, other) => {
    const token = encodePageToken(QUERY, ["1"]);
    expect(() => decodePageToken(other, token)).toThrow(
      expect.objectContaining({ reason: "INVALID_PAGE_TOKEN" }),
    );
  });

  test("is refused if a single character of it was changed or left out", () => {
    const token = encodePageToken(QUERY, ["5"]);
    for (let i = 0; i < token.length; i++) {
      const other = token[i] === "x" ? "y" : "x";
      for (const bad of [token.slice(0, i) + other + token.slice(i + 1), token.slice(0, i)]) {
        if (bad === "") continue;
        expect(() => decodePageToken(QUERY, bad)).toThrow("page token");
      }
    }
  });

  test.each(["!", "null", "W10", "{}", "a".repeat(512), "\0"])("isn't %j", (token) => {
    expect(() => decodePageToken(QUERY, token)).toThrow("page token");
  });
});
