import { randomUUID } from "node:crypto";

/**
 * A UUID of version 7 (RFC 9562) with the given time in milliseconds since 1970. Its 74 random bits
 * and variant are those of `randomUUID()`, which draws from the system's source in blocks.
 */
export function uuidv7(timeMs: number): string {
  const time = timeMs.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

/** The end of the year 9999, the last time that is told in RFC 3339. */
const MAX_TIME_MS = 253_402_300_799_999;

/**
 * The time in a UUID of version 7, in milliseconds since 1970; undefined for other versions, and
 * for a time after the year 9999.
 */
export function uuidv7TimeMs(id: string): number | undefined {
  if (id[14] !== "7") return undefined;
  const timeMs = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
  return timeMs <= MAX_TIME_MS ? timeMs : undefined;
}
