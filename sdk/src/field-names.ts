/** What the SDK calls otherwise than the contract, which counts minor units and has durations. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ["amountMinor", "value"],
  ["overdraftLimitMinor", "overdraftLimit"],
  ["holdDuration", "holdDurationMs"],
  ["initialBackoff", "initialBackoffMs"],
  ["maxBackoff", "maxBackoffMs"],
  ["gracePeriod", "gracePeriodMs"],
  ["requests", "payments"],
  ["clearMetadata", "metadata"],
  ["clearEventTypes", "eventTypes"],
]);

/**
 * A field's path as the SDK's callers know it: `payments[3].amount.value` for the contract's
 * `requests[3].amount.amount_minor`. Names of the caller's own, `metadata["a_b"]`, stay.
 */
export function sdkFieldOf(path: string): string {
  const [names = "", ...own] = path.split(/(?=\[")/);
  const renamed = names.replace(/[a-z_]\w*/g, (name) => {
    const camel = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    return RENAMED.get(camel) ?? camel;
  });
  return renamed + own.join("");
}
