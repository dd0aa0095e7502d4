import type { ServiceError } from "../kernel/errors.ts";
import type { Logger } from "../platform/logger.ts";
import { codeName } from "./error-mapping.ts";

/** One call that ended, for metrics. `method` is `package.Service/Method`, `code` Connect's name. */
export interface ObservedCall {
  readonly method: string;
  readonly code: string;
  readonly seconds: number;
}

/** What the report of a call needs to know. */
export interface EndedCall {
  readonly method: string;
  readonly requestId: string;
  readonly durationMs: number;
  /** Undefined if the call succeeded. */
  readonly error: ServiceError | undefined;
}

/** Writes the end of a call into log and metrics. */
export type ReportCall = (call: EndedCall) => void;

/**
 * Makes the report: a fault of the service is logged as an error with its cause, an unavailable
 * one as a warning with it, everything else on level debug without: the cause of a bad request
 * quotes what the caller sent.
 */
export function createCallReport(
  logger: Logger,
  observe: ((call: ObservedCall) => void) | undefined,
): ReportCall {
  return ({ method, requestId, durationMs, error }) => {
    const code = codeName(error);
    observe?.({ method, code, seconds: durationMs / 1000 });
    const level = levelOf(error);
    if (!logger.isLevelEnabled(level)) return;
    const fields = { method, requestId, code, reason: error?.reason, durationMs };
    const err = level === "debug" ? undefined : error?.cause;
    logger[level](err === undefined ? fields : { ...fields, err }, "call");
  };
}

function levelOf(error: ServiceError | undefined): "debug" | "warn" | "error" {
  if (error?.reason === "INTERNAL") return "error";
  return error?.reason === "UNAVAILABLE" ? "warn" : "debug";
}
