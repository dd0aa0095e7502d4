import { typosBetween } from "./kernel/typos.ts";

/** With as many typos or fewer somebody meant that setting. */
const MOST_TYPOS = 2;
/** Of shorter names too many others are a letter or two away. */
const SHORTEST = 6;
/** What settings begin with, but other programs' variables too. */
const COMMON = new Set(["COMMIT_", "DATA_", "LOG_", "MAX_"]);
/** What Kubernetes and Docker say of a service or container that happens to be called so. */
const OF_A_LINK =
  /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_[A-Z_]+)?)?|NAME|ENV_\w+)$/;

/**
 * A line for each of the variables that looks like one of the settings but is none: misspelt, or
 * beginning as several of them do. Those who set it believe that it counts.
 */
export function unknownSettings(
  variables: readonly string[],
  settings: readonly string[],
): string[] {
  const families = new Set(settings.map(familyOf).filter((family) => !COMMON.has(family)));
  families.delete("");
  return variables.flatMap((variable) => {
    if (settings.includes(variable) || OF_A_LINK.test(variable)) return [];
    const meant = settings.find(
      (name) => name.length >= SHORTEST && typosBetween(variable, name) <= MOST_TYPOS,
    );
    if (meant !== undefined) return [`unknown setting ${variable}: did you mean ${meant}?`];
    return families.has(familyOf(variable))
      ? [`unknown setting ${variable}: it has no effect`]
      : [];
  });
}

/** The first word with its `_`; empty for a name of one word. */
function familyOf(name: string): string {
  return name.slice(0, name.indexOf("_") + 1);
}
