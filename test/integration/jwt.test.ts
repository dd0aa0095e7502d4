import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CryptoKey,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
  UnsecuredJWT,
} from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AccountService } from "../../gen/instantpayment/v1/account_service_pb.ts";
import { clientOf } from "../support/keys.ts";
import { startTestApp, type TestApp } from "../support/running-app.ts";

const ISSUER = "https://login.example";
const AUDIENCE = "https://pay.example";

interface Pair {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

async function makePair(kid: string, alg: string): Promise<Pair> {
  return { kid, alg, ...(await generateKeyPair(alg, { extractable: true })) };
}

async function jwksOf(...pairs: Pair[]): Promise<string> {
  const keys = pairs.map(async ({ kid, alg, publicKey }) => ({
    ...(await exportJWK(publicKey)),
    kid,
    alg,
  }));
  return JSON.stringify({ keys: await Promise.all(keys) });
}

let rsa: Pair;
let ec: Pair;
/** The issuer's page of keys; undefined: it's away. */
let page: string | undefined;
let asked = 0;
let issuer: Server;
let folder: string;
let byUrl: TestApp;
let byFile: TestApp;

beforeAll(async () => {
  [rsa, ec] = await Promise.all([makePair("rsa-1", "RS256"), makePair("ec-1", "ES256")]);
  page = await jwksOf(rsa, ec);
  issuer = createServer((_, response) => {
    asked += 1;
    response.writeHead(page === undefined ? 503 : 200).end(page);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => issuer.once("listening", resolve));
  folder = await mkdtemp(join(tmpdir(), "instant-payment-jwks-"));
  const file = join(folder, "jwks.json");
  await writeFile(file, page);
  const settings = { JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE };
  const { port } = issuer.address() as AddressInfo;
  byUrl = await startTestApp({ ...settings, JWT_JWKS_URL: `http://127.0.0.1:${port}/jwks` });
  byFile = await startTestApp({
    ...settings,
    JWT_JWKS_FILE: file,
    JWT_OWNER_CLAIM: "https://pay.example/owner",
    JWT_SCOPE_CLAIM: "permissions",
    JWT_ALGORITHMS: "ES256",
  });
});

afterAll(async () => {
  await Promise.all([byUrl.stop(), byFile.stop()]);
  issuer.closeAllConnections();
  await new Promise((resolve) => issuer.close(resolve));
  await rm(folder, { recursive: true });
});

const nowS = () => Math.floor(Date.now() / 1_000);

/** Claims that are taken, but for what is given. */
function claims(change: JWTPayload = {}): JWTPayload {
  const scope = "openid accounts:read accounts:write";
  return { iss: ISSUER, aud: AUDIENCE, sub: "alice", exp: nowS() + 60, scope, ...change };
}

function sign(
  payload: JWTPayload,
  pair: Pair = rsa,
  header: Partial<JWTHeaderParameters> = {},
): Promise<string> {
  const { alg, kid, privateKey } = pair;
  return new SignJWT(payload).setProtectedHeader({ alg, kid, ...header }).sign(privateKey);
}

/** The owner that a token makes its bearer, as told by a new account; or the error. */
async function bearer(token: string, app = byUrl): Promise<string | undefined> {
  const client = clientOf(AccountService, app.apiUrl, token);
  const { account } = await client.createAccount({ currencyCode: "EUR" });
  return account?.ownerId;
}

test("a token makes its bearer the owner that it's about, with the scopes that we know", async () => {
  expect(await bearer(await sign(claims()))).toBe("alice");
  expect(await bearer(await sign(claims({ sub: "bob" }), ec))).toBe("bob");
  expect(await bearer(await sign(claims({ aud: ["https://other.example", AUDIENCE] })))).toBe(
    "alice",
  );
  const reader = await sign(claims({ scope: "accounts:read" }));
  await expect(bearer(reader)).rejects.toThrow("[permission_denied]");
  const none = await sign(claims({ scope: undefined }));
  await expect(bearer(none)).rejects.toThrow("[permission_denied]");
  const listed = await sign(claims({ scope: ["accounts:write"] }));
  expect(await bearer(listed)).toBe("alice");
});

test("owner and scopes come from the claims of the settings, keys from a file", async () => {
  const owner = "https://pay.example/owner";
  const ours = { [owner]: "shop 7", permissions: ["accounts:write"], scope: undefined };
  expect(await bearer(await sign(claims(ours), ec), byFile)).toBe("shop 7");
  for (const wrong of [{}, { ...ours, [owner]: 7 }, { ...ours, [owner]: "" }]) {
    await expect(bearer(await sign(claims(wrong), ec), byFile)).rejects.toThrow(
      /unauthenticated|permission_denied/,
    );
  }
  await expect(bearer(await sign(claims(ours), rsa), byFile)).rejects.toThrow("[unauthenticated]");
});

test("clocks may differ by half a minute", async () => {
  expect(await bearer(await sign(claims({ exp: nowS() - 20 })))).toBe("alice");
  expect(await bearer(await sign(claims({ nbf: nowS() + 20 })))).toBe("alice");
});

describe("A token is refused that", () => {
  test.each<[string, () => Promise<string> | string]>([
    ["isn't signed", () => new UnsecuredJWT(claims()).encode()],
    [
      "says that it's signed by nobody",
      async () => {
        const [, payload] = (await sign(claims())).split(".");
        const head = Buffer.from('{"alg":"none","kid":"rsa-1"}').toString("base64url");
        return `${head}.${payload}.`;
      },
    ],
    [
      "is signed with our public key as a shared secret",
      async () => {
        const secret = Buffer.from(await exportSPKI(rsa.publicKey));
        const header = { alg: "HS256", kid: "rsa-1" };
        return new SignJWT(claims()).setProtectedHeader(header).sign(secret);
      },
    ],
    [
      "is signed by another algorithm than is pinned",
      async () => {
        const { privateKey } = await makePair("rsa-1", "RS512");
        return sign(claims(), { ...rsa, alg: "RS512", privateKey });
      },
    ],
    ["is signed by a stranger", async () => sign(claims(), await makePair("rsa-1", "RS256"))],
    ["names a key that there isn't", () => sign(claims(), rsa, { kid: "rsa-9" })],
    ["names the key of another algorithm", () => sign(claims(), rsa, { kid: "ec-1" })],
    ["is another issuer's", () => sign(claims({ iss: "https://evil.example" }))],
    ["is for another audience", () => sign(claims({ aud: "https://other.example" }))],
    ["is for no audience", () => sign(claims({ aud: undefined }))],
    ["has expired", () => sign(claims({ exp: nowS() - 40 }))],
    ["never expires", () => sign(claims({ exp: undefined }))],
    ["isn't valid yet", () => sign(claims({ nbf: nowS() + 60 }))],
    ["is about nobody", () => sign(claims({ sub: undefined }))],
    ["is about the administrator's owner, without the scope", () => sign(claims({ sub: "admin" }))],
    [
      "was changed",
      async () => {
        const [head, , signature] = (await sign(claims())).split(".");
        const payload = Buffer.from(JSON.stringify(claims({ sub: "bob" }))).toString("base64url");
        return `${head}.${payload}.${signature}`;
      },
    ],
    ["is cut", async () => (await sign(claims())).slice(0, -3)],
    ["is none", () => "a.b.c"],
  ])("%s", async (_, token) => {
    await expect(bearer(await token())).rejects.toThrow("[unauthenticated]");
  });
});

test("the issuer's keys are asked for once, for new ones again, and away is unavailable", async () => {
  const before = asked;
  for (let i = 0; i < 20; i++)
    expect(await bearer(await sign(claims({ jti: `${i}` })))).toBe("alice");
  expect(asked - before).toBeLessThanOrEqual(1);
  const added = await makePair("rsa-2", "RS256");
  page = await jwksOf(rsa, added);
  const token = await sign(claims(), added);
  const answer = () => bearer(token).catch((error: unknown) => String(error));
  await expect.poll(answer, { interval: 200, timeout: 15_000 }).toBe("alice");
  page = undefined;
  const unknown = await sign(claims(), await makePair("rsa-3", "RS256"));
  const refused = () => bearer(unknown).catch((error: unknown) => String(error));
  await expect.poll(refused, { interval: 200, timeout: 15_000 }).toContain("[unavailable]");
  expect(await bearer(await sign(claims({ jti: "known" })))).toBe("alice");
}, 40_000);
