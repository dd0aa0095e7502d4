import { typosBetween } from "../../src/kernel/typos.ts";
import { invalidInput, shown } from "./error.ts";

/** All members of a type: a list that `tsc` holds to it. */
export type MembersOf<T> = Readonly<Record<keyof T, true>>;

/**
 * The object that a caller gave, if each of its members is known: a misspelt one would be left out,
 * and a dry run would pay. And if its texts are Unicode: half a character would be stored as another.
 * Errors call the object `name`, and `at` goes before its members' names. Throws INVALID_FIELD.
 */
export function onlyKnown<T extends object>(
  given: T,
  known: MembersOf<T>,
  name: string,
  at = "",
): T {
  if (typeof given !== "object" || given === null)
    throw invalidInput(name, `must be an object, not ${shown(given)}`);
  for (const [member, value] of Object.entries(given)) {
    if (!Object.hasOwn(known, member)) {
      throw invalidInput(`${at}${member}`, `is unknown${hintAt(member, Object.keys(known))}`);
    }
    if (textsOf(value).some((text) => HALF_CHARACTER.test(text))) {
      throw invalidInput(
        `${at}${member}`,
        "must be Unicode, but half of a surrogate pair is missing",
      );
    }
  }
  return given;
}

// `isWellFormed()` is missing in browsers that have all else.
const HALF_CHARACTER = /\p{Surrogate}/u;

/** The texts of a member: itself, its items, or its names and values. */
function textsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  const parts: unknown[] = Object.entries(value).flat();
  return parts.filter((part) => typeof part === "string");
}

/** What may have been meant. */
function hintAt(member: string, names: readonly string[]): string {
  const [nearest] = names
    .map((name) => ({ name, typos: typosBetween(plain(member), plain(name)) }))
    .filter(({ name, typos }) => typos <= 2 && typos < name.length / 2)
    .toSorted((a, b) => a.typos - b.typos);
  return nearest ? `: did you mean ${nearest.name}?` : ` (known: ${names.join(", ")})`;
}

const plain = (name: string) => name.replace(/[_-]/g, "").toLowerCase();
