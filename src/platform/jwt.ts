import { readFile } from "node:fs/promises";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  jwtVerify,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
} from "jose";
import type { Clock } from "../kernel/clock.ts";
import { ServiceError } from "../kernel/errors.ts";
import { isScope, type Principal } from "../kernel/principal.ts";
import { administrator, type Identify } from "./authenticate.ts";
import { StartupError } from "./startup-error.ts";

/** Signatures by a public key. None by a shared secret: our public keys would pass for one. */
export const JWT_ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA"] as const;

/** Whose tokens are taken, and what their claims mean. */
export interface JwtOptions {
  readonly issuer: string;
  readonly audience: string;
  /** Where the issuer's public keys are: a JWKS (RFC 7517) by URL or in a file. */
  readonly jwks: { readonly url: URL } | { readonly file: string };
  readonly algorithms: readonly string[];
  /** The claim that is the owner, for example `sub`. */
  readonly ownerClaim: string;
  /** The claim with the scopes: a list, or words separated by spaces (RFC 8693). */
  readonly scopeClaim: string;
  readonly clock: Clock;
}

/** How far the issuer's clock may be from ours, in seconds. */
const CLOCK_TOLERANCE_S = 30;
/** Keys are read again after this, in milliseconds, and for an unknown one at most so often. */
const KEYS_MAX_AGE_MS = 600_000;
const KEYS_COOLDOWN_MS = 5_000;
const KEYS_TIMEOUT_MS = 3_000;

/**
 * Knows the callers whom an issuer vouches for by a JWT (RFC 7519) with issuer, audience, `exp` and
 * `sub`; of its scopes those that the service has. Nobody but an administrator is the owner
 * `admin`. Calls throw UNAVAILABLE while the issuer's keys can't be had. Throws StartupError if the
 * file of keys is none.
 */
export async function createIdentifyJwt(options: JwtOptions): Promise<Identify> {
  const { issuer, audience, clock } = options;
  const keys = "url" in options.jwks ? remoteKeys(options.jwks.url) : await fileKeys(options);
  return async (token) => {
    if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(token)) return undefined;
    const nowMs = clock.now();
    const payload = await verify(token, keys, {
      issuer,
      audience,
      algorithms: [...options.algorithms],
      requiredClaims: ["exp", "sub"],
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(nowMs),
    });
    const principal = payload && principalOf(payload, options);
    if (principal === undefined) return undefined;
    return { principal, validMs: (payload!.exp! + CLOCK_TOLERANCE_S) * 1_000 - nowMs };
  };
}

async function verify(
  token: string,
  keys: JWTVerifyGetKey,
  options: Parameters<typeof jwtVerify>[2],
): Promise<JWTPayload | undefined> {
  try {
    return (await jwtVerify(token, keys, options)).payload;
  } catch (cause) {
    const isRefusal = cause instanceof errors.JOSEError && !KEYS_AWAY.has(cause.code);
    if (isRefusal) return undefined;
    throw new ServiceError("UNAVAILABLE", { message: "the issuer's keys can't be had", cause });
  }
}

/** What is no fault of the token: no answer in time, no success, no JWKS. */
const KEYS_AWAY = new Set(["ERR_JWKS_TIMEOUT", "ERR_JOSE_GENERIC", "ERR_JWKS_INVALID"]);

function principalOf(
  payload: JWTPayload,
  { ownerClaim, scopeClaim }: JwtOptions,
): Principal | undefined {
  const ownerId = payload[ownerClaim];
  const claimed = payload[scopeClaim];
  const words = typeof claimed === "string" ? claimed.split(" ") : claimed;
  const scopes = new Set(Array.isArray(words) ? words.filter((word) => isScope(word)) : []);
  if (typeof ownerId !== "string" || !/^[ -~]{1,128}$/.test(ownerId)) return undefined;
  if (ownerId === administrator().ownerId && !scopes.has("admin")) return undefined;
  return { ownerId, scopes };
}

function remoteKeys(url: URL): JWTVerifyGetKey {
  return createRemoteJWKSet(url, {
    cacheMaxAge: KEYS_MAX_AGE_MS,
    cooldownDuration: KEYS_COOLDOWN_MS,
    timeoutDuration: KEYS_TIMEOUT_MS,
  });
}

/** The keys of a file, which is read again now and then, so that it can be replaced. */
async function fileKeys({ jwks, clock }: JwtOptions): Promise<JWTVerifyGetKey> {
  const file = "file" in jwks ? jwks.file : "";
  const read = async () =>
    createLocalJWKSet(JSON.parse(await readFile(file, "utf8")) as JSONWebKeySet);
  let keys: JWTVerifyGetKey;
  try {
    keys = await read();
  } catch (cause) {
    const reason = `JWT_JWKS_FILE ${JSON.stringify(file)} holds no JWKS`;
    throw new StartupError("settings", reason, { cause });
  }
  let readMs = clock.monotonicMs();
  return async (header, token) => {
    if (clock.monotonicMs() - readMs > KEYS_COOLDOWN_MS) {
      readMs = clock.monotonicMs();
      // Half a file, or none: the keys that we have count until it's whole.
      keys = await read().catch(() => keys);
    }
    return keys(header, token);
  };
}
