import type { Heat } from "../../src/ledger/heat.ts";

/** A heat for which these accounts are hot, whatever is observed. */
export function fixedHeat(isHot: (accountId: string) => boolean): Heat {
  return { isHot, observe: () => undefined, observeConflict: () => undefined, hotAccounts: 0 };
}
