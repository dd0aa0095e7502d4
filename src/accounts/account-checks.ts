import { invalidField } from "../kernel/errors.ts";
import type { OverdraftMode } from "./account.ts";

/** Throws INVALID_FIELD unless a limit is given exactly when the mode needs one. */
export function checkOverdraft(mode: OverdraftMode, limitMinor: bigint): void {
  if (mode === "LIMITED" && limitMinor === 0n) {
    throw invalidField("overdraft_limit_minor", "must be at least 1 for OVERDRAFT_MODE_LIMITED");
  }
  if (mode !== "LIMITED" && limitMinor !== 0n) {
    throw invalidField("overdraft_limit_minor", "is for OVERDRAFT_MODE_LIMITED only");
  }
}
