import { createContextKey, type ContextKey, type HandlerContext } from "@connectrpc/connect";
import type { Call } from "../kernel/call.ts";

/** Where the edge leaves the authenticated call for the method's implementation. */
export const callKey: ContextKey<Call | undefined> = createContextKey<Call | undefined>(undefined, {
  description: "call",
});

/**
 * The caller and the deadline of a call. Throws if the method is one of those that need no key,
 * since those have no caller.
 */
export function callOf(context: HandlerContext): Call {
  const call = context.values.get(callKey);
  if (call === undefined) throw new Error(`${context.method.name} was called without a caller`);
  return call;
}
