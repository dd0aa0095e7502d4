import type { HttpRequest } from "./http.ts";
import type { MethodLimits } from "./limits.ts";
import type { WireFormat } from "./wire-format.ts";

const GRPC_UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/**
 * How long the caller waits, in milliseconds: what the request says, cut to the method's maximum,
 * or the method's default. Undefined if its time-out can't be read.
 */
export function timeoutMsOf(
  request: HttpRequest,
  format: WireFormat,
  limits: MethodLimits,
): number | undefined {
  const header = format.protocol === "connect" ? "connect-timeout-ms" : "grpc-timeout";
  const value = request.headers[header];
  if (value === undefined) return limits.defaultTimeoutMs;
  const text = String(value);
  const timeoutMs = format.protocol === "connect" ? connectMs(text) : grpcMs(text);
  return timeoutMs === undefined ? undefined : Math.min(timeoutMs, limits.maxTimeoutMs);
}

function connectMs(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

function grpcMs(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * GRPC_UNIT_MS[unit!]!;
}
