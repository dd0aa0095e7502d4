const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const ALL_ZERO = /^0+$/;

/**
 * The header `traceparent` (W3C Trace Context) as version 00 has it, 55 characters; undefined if
 * it isn't valid. Of a version to come, what 00 has of it: further fields and flags are left out.
 */
export function readTraceparent(header: unknown): string | undefined {
  if (typeof header !== "string") return undefined;
  const [, version, traceId = "", parentId = "", flags = "", more] = TRACEPARENT.exec(header) ?? [];
  if (version === undefined || version === "ff") return undefined;
  if (version === "00" && more !== undefined) return undefined;
  if (ALL_ZERO.test(traceId) || ALL_ZERO.test(parentId)) return undefined;
  if (version === "00") return header;
  return `00-${traceId}-${parentId}-0${Number.parseInt(flags, 16) & 1}`;
}
