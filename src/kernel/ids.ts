import { randomFillSync } from "node:crypto";

const pool = Buffer.alloc(4096);
let used = pool.length;

/** Ten random bytes from a pool, since a system call for each id would cost more than the id. */
function randomOffset(): number {
  if (used + 10 > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += 10;
  return used - 10;
}

/** A UUID of version 7 (RFC 9562) with the given time in milliseconds since 1970. */
export function uuidv7(timeMs: number): string {
  const at = randomOffset();
  const time = timeMs.toString(16).padStart(12, "0");
  const random = pool.toString("hex", at, at + 10);
  const variant = ((pool[at + 2]! & 0x3f) | 0x80).toString(16);
  return (
    `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(1, 4)}` +
    `-${variant}${random.slice(6, 8)}-${random.slice(8)}`
  );
}

/** The time in a UUID of version 7, in milliseconds since 1970; undefined for other versions. */
export function uuidv7TimeMs(id: string): number | undefined {
  if (id[14] !== "7") return undefined;
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
