import { createHash, timingSafeEqual } from "node:crypto";
import type { Principal } from "../kernel/principal.ts";

/** Who works with the administrator's key, and in whose name commands and the demo work. */
export function administrator(): Principal {
  return { ownerId: "admin", scopes: new Set(["admin"]) };
}

/**
 * Checks `Authorization: Bearer <key>` against the administrator's key, in a time that tells
 * nothing of it. Undefined for anything else.
 */
export function createAuthenticate(
  adminKey: string,
): (authorization: string | undefined) => Promise<Principal | undefined> {
  const expected = digest(adminKey);
  return async (authorization) => {
    const key = /^Bearer +([!-~]+)$/i.exec(authorization ?? "")?.[1];
    if (key === undefined || !timingSafeEqual(digest(key), expected)) return undefined;
    return administrator();
  };
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
