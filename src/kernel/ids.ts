import { randomUUID } from "node:crypto";

/**
 * A UUID of version 7 (RFC 9562) with the given time in milliseconds since 1970. Its 74 random bits
 * and variant are those of `randomUUID()`, which draws from the system's source in blocks.
 */
export function uuidv7(timeMs: number): string {
  const time = timeMs.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

/** The time in a UUID of version 7, in milliseconds since 1970; undefined for other versions. */
export function uuidv7TimeMs(id: string): number | undefined {
  if (id[14] !== "7") return undefined;
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
