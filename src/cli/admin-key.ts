import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { readOrCreate } from "../platform/data-directory.ts";
import { apiKey } from "../platform/setting-parsers.ts";

/** The administrator's key and how people get to know it. */
export type AdminKey =
  /** There is none: AUTH is none. */
  | { readonly source: "none"; readonly key: string }
  /** They chose it themselves. */
  | { readonly source: "setting"; readonly key: string }
  /** Generated and kept in `file`: `created` just now, so that it is shown, or `kept` there. */
  | { readonly source: "created" | "kept"; readonly key: string; readonly file: string };

/** The generated key that is kept in the data directory, made if there is none. */
export async function adminKeyIn(dataDirectory: string): Promise<AdminKey> {
  const file = join(dataDirectory, "admin-key");
  const { content, created } = await readOrCreate(file, generateKey, isKey);
  return { source: created ? "created" : "kept", key: content.trim(), file };
}

function generateKey(): string {
  return `ipa_${randomBytes(32).toString("base64url")}\n`;
}

/** As strong as one that is set. */
function isKey(content: string): boolean {
  try {
    return apiKey(content.trim()) !== "";
  } catch {
    return false;
  }
}
