import type { Principal } from "./principal.ts";

/** What a use case needs to know of the call it works for. */
export interface Call {
  readonly principal: Principal;
  /** When the caller stops waiting, on the clock of `performance.now()`, in milliseconds. */
  readonly deadlineMs: number;
  /** The caller's valid `traceparent`; it goes into the events of what the call changes. */
  readonly traceparent?: string | undefined;
}
