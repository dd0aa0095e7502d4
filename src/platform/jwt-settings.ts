import { JWT_ALGORITHMS } from "./jwt.ts";
import {
  type Setting,
  type SettingValues,
  anyText,
  readableFile,
  secureUrl,
  someOf,
} from "./setting-parsers.ts";

/** The settings that say whose JWTs are taken. */
export const JWT_SETTINGS = {
  JWT_ISSUER: {
    description: "Issuer (iss) whose JWTs are taken beside keys. Unset: none are.",
    parse: anyText,
  },
  JWT_AUDIENCE: {
    description: "Audience (aud) that a JWT must be for.",
    parse: anyText,
  },
  JWT_JWKS_URL: {
    description: "Where the issuer's public keys are, as a JWKS. This or JWT_JWKS_FILE.",
    parse: secureUrl,
  },
  JWT_JWKS_FILE: {
    description: "File with the issuer's public keys, as a JWKS; it may be replaced.",
    parse: readableFile,
  },
  JWT_ALGORITHMS: {
    description:
      "Signatures that are taken, separated by commas: RS256, PS256, ES256, ES384, EdDSA.",
    default: JWT_ALGORITHMS.join(","),
    parse: someOf(...JWT_ALGORITHMS),
  },
  JWT_OWNER_CLAIM: {
    description: "Claim of a JWT that names the owner.",
    default: "sub",
    parse: anyText,
  },
  JWT_SCOPE_CLAIM: {
    description: "Claim of a JWT with the scopes: a list, or words separated by spaces.",
    default: "scope",
    parse: anyText,
  },
} satisfies Record<string, Setting<unknown>>;

type JwtSettings = SettingValues<typeof JWT_SETTINGS>;

/** What is wrong of these only in combination, a line for each. */
export function jwtConflictsIn(config: JwtSettings): string[] {
  const { JWT_ISSUER, JWT_AUDIENCE, JWT_JWKS_URL, JWT_JWKS_FILE } = config;
  if ([JWT_ISSUER, JWT_AUDIENCE, JWT_JWKS_URL, JWT_JWKS_FILE].every((one) => !one)) return [];
  const errors: string[] = [];
  if (!JWT_ISSUER) errors.push("JWT_ISSUER must be set for JWTs");
  if (!JWT_AUDIENCE) errors.push("JWT_AUDIENCE must be set for JWTs");
  if ((JWT_JWKS_URL === undefined) === (JWT_JWKS_FILE === undefined)) {
    errors.push("JWT_JWKS_URL or JWT_JWKS_FILE must be set for JWTs, and not both");
  }
  return errors;
}
