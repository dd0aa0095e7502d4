import { systemClock } from "../kernel/clock.ts";
import type { Principal } from "../kernel/principal.ts";
import { createAuthenticate, identifyAdmin, letAnybodyIn } from "../platform/authenticate.ts";
import type { Database } from "../platform/database.ts";
import { createIdentifyJwt, type JwtOptions } from "../platform/jwt.ts";
import type { Logger } from "../platform/logger.ts";
import { createFindKeyOwner } from "./find-key-owner.ts";

/** The settings that say who may call; `readConfig` has seen to those that belong together. */
export interface CallerSettings {
  readonly AUTH: "keys" | "none";
  readonly JWT_ISSUER: string | undefined;
  readonly JWT_AUDIENCE: string | undefined;
  readonly JWT_JWKS_URL: URL | undefined;
  readonly JWT_JWKS_FILE: string | undefined;
  readonly JWT_ALGORITHMS: readonly string[];
  readonly JWT_OWNER_CLAIM: string;
  readonly JWT_SCOPE_CLAIM: string;
}

/** Who may call. */
export interface Callers {
  /** Who calls by the header `Authorization`; undefined if nobody is known by it. */
  readonly authenticate: (authorization: string | undefined) => Promise<Principal | undefined>;
  close(): Promise<void>;
}

/**
 * Lets in the administrator, the owners of keys, and whom an issuer of JWTs vouches for; or
 * anybody, if AUTH is none. Throws StartupError if the issuer's keys are in a file that has none.
 */
export async function createCallers(
  settings: CallerSettings,
  deps: { readonly adminKey: string; readonly database: Database; readonly logger: Logger },
): Promise<Callers> {
  if (settings.AUTH === "none") return { authenticate: letAnybodyIn, close: async () => {} };
  const { identify, close } = createFindKeyOwner(deps);
  const ways = [identifyAdmin(deps.adminKey), identify];
  const jwt = jwtOptionsOf(settings);
  if (jwt !== undefined) ways.push(await createIdentifyJwt(jwt));
  return { authenticate: createAuthenticate({ identify: ways, clock: systemClock }), close };
}

function jwtOptionsOf(settings: CallerSettings): JwtOptions | undefined {
  const { JWT_ISSUER: issuer, JWT_AUDIENCE: audience, JWT_JWKS_URL: url } = settings;
  if (issuer === undefined || audience === undefined) return undefined;
  return {
    issuer,
    audience,
    jwks: url === undefined ? { file: settings.JWT_JWKS_FILE! } : { url },
    algorithms: settings.JWT_ALGORITHMS,
    ownerClaim: settings.JWT_OWNER_CLAIM,
    scopeClaim: settings.JWT_SCOPE_CLAIM,
    clock: systemClock,
  };
}
