import { createHash } from "node:crypto";
import { ServiceError } from "./errors.ts";

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;

/** The number of rows of a page: 0 means 50, more than 1,000 is cut to 1,000 (AIP-158). */
export function pageLimit(pageSize: number): number {
  return pageSize === 0 ? DEFAULT_PAGE_SIZE : Math.min(pageSize, MAX_PAGE_SIZE);
}

/** An opaque token for the page after `cursor` of the query, and of no other query. */
export function encodePageToken(query: unknown, cursor: readonly string[]): string {
  const text = JSON.stringify(cursor);
  return Buffer.from(`${checksum(query, text)}${text}`).toString("base64url");
}

/**
 * The rows of a page and the token of the next one, empty on the last: `found` has one row more
 * than the page holds, if there are so many. `cursorOf` tells where the page after a row begins.
 */
export function cutPage<T>(
  found: readonly T[],
  limit: number,
  query: unknown,
  cursorOf: (last: T) => readonly string[],
): { rows: T[]; nextPageToken: string } {
  const rows = found.slice(0, limit);
  const last = rows.at(-1);
  const hasMore = found.length > limit && last !== undefined;
  return { rows, nextPageToken: hasMore ? encodePageToken(query, cursorOf(last)) : "" };
}

/** The cursor in a token; undefined for an empty one. Throws INVALID_PAGE_TOKEN if it isn't ours. */
export function decodePageToken(query: unknown, token: string): string[] | undefined {
  if (token === "") return undefined;
  const plain = Buffer.from(token, "base64url").toString();
  const text = plain.slice(CHECKSUM_LENGTH);
  if (plain.slice(0, CHECKSUM_LENGTH) !== checksum(query, text)) {
    throw new ServiceError("INVALID_PAGE_TOKEN", {
      violations: [{ field: "page_token", description: "isn't a token of this query" }],
    });
  }
  return JSON.parse(text) as string[];
}

const CHECKSUM_LENGTH = 16;

function checksum(query: unknown, text: string): string {
  const hash = createHash("sha256").update(JSON.stringify(query)).update("\n").update(text);
  return hash.digest("base64url").slice(0, CHECKSUM_LENGTH);
}
