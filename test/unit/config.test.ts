import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type Environment, SETTINGS, readConfig } from "../../src/config.ts";

const KEY = "k".repeat(32);

/** The lines that a wrong environment is refused with. */
function complaints(environment: Environment, serving = true): string[] {
  try {
    readConfig({ serving }, environment);
  } catch (error) {
    return error instanceof Error ? error.message.split("\n") : [];
  }
  return [];
}

test("an empty environment gives the defaults, frozen", () => {
  const config = readConfig({ serving: true }, { PORT: "", REDIS_URL: "" });
  expect(config).toMatchObject({ PORT: 8080, HOST: "127.0.0.1", ADMIN_PORT: 9090 });
  expect(config.DATABASE_URL).toBeUndefined();
  expect(config.REDIS_URL).toBeUndefined();
  expect(config.CORS_ORIGINS).toEqual([]);
  expect(Object.isFrozen(config)).toBe(true);
});

test("every setting is described, and every default passes its own check", () => {
  for (const [name, setting] of Object.entries(SETTINGS)) {
    expect(name).toMatch(/^[A-Z][A-Z_]+$/);
    expect(setting.description).toMatch(/\.$/);
    if ("default" in setting) expect(() => setting.parse(setting.default)).not.toThrow();
  }
});

test("all wrong settings are named at once, each with what it must be and what it is", () => {
  expect(
    complaints({ PORT: "80a", LOG_LEVEL: "loud", TLS_CERT_FILE: "/no/such", ROLES: "payments,x" }),
  ).toEqual([
    'PORT must be a whole number from 0 to 65535, not "80a"',
    'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, not "loud"',
    'TLS_CERT_FILE must be the path of a file that can be read, not "/no/such"',
    'ROLES must be one of payments, accounts, relay, notifier, scheduler, not "payments,x"',
  ]);
});

test.each([
  ["PORT", "-1"],
  ["PORT", "65536"],
  ["PORT", "8080.5"],
  ["PORT", " 8080"],
  ["HOST", "http://localhost"],
  ["CORS_ORIGINS", "*"],
  ["CORS_ORIGINS", "https://a.example/"],
  ["DATABASE_URL", "mysql://u:p@h/d"],
  ["DATABASE_URL", "postgresql://u:p@h"],
  ["ADMIN_API_KEY", "short"],
  ["ADMIN_API_KEY", `${KEY} `],
])("%s=%s is refused", (name, value) => {
  expect(complaints({ [name]: value })).toEqual([expect.stringMatching(`^${name} must`)]);
});

test("a secret's value is never in a complaint", () => {
  const lines = complaints({ DATABASE_URL: "hunter2", ADMIN_API_KEY: "hunter2" });
  expect(lines).toHaveLength(2);
  expect(lines.join()).not.toContain("hunter2");
});

test("REDIS_URL is a Redis, with or without TLS, and isn't shown when it's wrong", () => {
  for (const url of ["redis://localhost", "rediss://u:p@redis.example.com:6380/2"]) {
    expect(readConfig({ serving: false }, { REDIS_URL: url }).REDIS_URL).toBe(url);
  }
  const line =
    "REDIS_URL must look like redis://user:password@host:6379 or, with TLS, rediss://...";
  for (const url of ["localhost:6379", "http://localhost", "redis://host/a-secret"]) {
    expect(complaints({ REDIS_URL: url })).toEqual([line]);
  }
});

test("a secret is read from the file that NAME_FILE names, without its line end", () => {
  const directory = mkdtempSync(join(tmpdir(), "instant-payment-config-"));
  const file = join(directory, "key");
  writeFileSync(file, `${KEY}\n`);
  expect(readConfig({ serving: true }, { ADMIN_API_KEY_FILE: file }).ADMIN_API_KEY).toBe(KEY);
  expect(complaints({ ADMIN_API_KEY_FILE: file, ADMIN_API_KEY: KEY })).toEqual([
    "ADMIN_API_KEY and ADMIN_API_KEY_FILE are both set: leave one out",
  ]);
  rmSync(directory, { recursive: true });
  expect(complaints({ ADMIN_API_KEY_FILE: file })).toEqual([
    `ADMIN_API_KEY can't be read from ADMIN_API_KEY_FILE "${file}"`,
  ]);
});

const NEEDS_TLS = "set TLS_CERT_FILE and TLS_KEY_FILE, or TRUST_PROXY=true behind a proxy with TLS";

test("a server of others' reach needs TLS, one on their database an admin key", () => {
  expect(complaints({ HOST: "0.0.0.0", DATABASE_URL: "postgresql://u:p@h/d" })).toEqual([
    `HOST 0.0.0.0 can be reached by others: ${NEEDS_TLS}`,
    "ADMIN_API_KEY must be set with DATABASE_URL",
  ]);
  expect(complaints({ DATABASE_URL: "postgresql://u:p@h/d" }, false)).toEqual([]);
  expect(complaints({ HOST: "127.0.0.2" })).toEqual([]);
  expect(complaints({ ADMIN_PORT: "8080" })).toEqual([
    "ADMIN_PORT must differ from PORT, both are 8080",
  ]);
});

test("AUTH=none is for the loopback, unless the flag says that it isn't", () => {
  const open = { AUTH: "none", HOST: "::", TRUST_PROXY: "true" };
  expect(complaints({ AUTH: "none" })).toEqual([]);
  expect(complaints({ AUTH: "none", DATABASE_URL: "postgresql://u:p@h/d" })).toEqual([]);
  expect(complaints(open)).toEqual([
    "HOST :: can be reached by others, and AUTH=none lets them move all money: leave AUTH out, " +
      "or start with --insecure-allow-no-auth",
  ]);
  const config = readConfig({ serving: true, insecureAllowNoAuth: true }, open);
  expect(config).toMatchObject({ AUTH: "none", TRUST_PROXY: true });
  expect(complaints({ ...open, TRUST_PROXY: "false" })).toHaveLength(2);
  expect(complaints({ HOST: "0.0.0.0", TRUST_PROXY: "true" })).toEqual([]);
});

test("an issuer of JWTs needs its audience and its keys, from one place", () => {
  expect(complaints({ JWT_ISSUER: "https://login.example" }, false)).toEqual([
    "JWT_AUDIENCE must be set for JWTs",
    "JWT_JWKS_URL or JWT_JWKS_FILE must be set for JWTs, and not both",
  ]);
  expect(complaints({ JWT_AUDIENCE: "pay", JWT_JWKS_URL: "https://login.example/jwks" })).toEqual([
    "JWT_ISSUER must be set for JWTs",
  ]);
  for (const [name, value] of [
    ["JWT_JWKS_URL", "http://login.example/jwks"],
    ["JWT_JWKS_URL", "login.example"],
    ["JWT_JWKS_FILE", "/no/such"],
    ["JWT_ALGORITHMS", "RS256,HS256"],
    ["JWT_ALGORITHMS", "none"],
    ["TRUST_PROXY", "yes"],
  ] as const) {
    expect(complaints({ [name]: value })).toEqual([expect.stringMatching(`^${name} must`)]);
  }
});

test("a relay or notifier alone needs nothing that callers need", () => {
  const relay = { ROLES: "relay", HOST: "0.0.0.0", DATABASE_URL: "postgresql://u:p@h/d" };
  expect(complaints(relay)).toEqual([]);
  expect(complaints({ ...relay, ROLES: "notifier" })).toEqual([]);
  expect(complaints({ ...relay, KAFKA_BROKERS: "kafka-1:9092, [::1]:9093" })).toEqual([]);
  expect(complaints({ KAFKA_BROKERS: "http://kafka" })).toEqual([
    'KAFKA_BROKERS must be addresses such as kafka-1:9092, separated by commas, not "http://kafka"',
  ]);
});

test("the parts of a login to Kafka, and of its TLS, are set together", () => {
  expect(complaints({ KAFKA_SASL_MECHANISM: "plain", KAFKA_SASL_USERNAME: "u" })).toEqual([
    "KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD must be set together",
  ]);
  expect(complaints({ KAFKA_TLS_CERT_FILE: "package.json" })).toEqual([
    "KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE must be set together",
    "KAFKA_TLS must be on for KAFKA_TLS_CA_FILE and KAFKA_TLS_CERT_FILE to count",
  ]);
});

test("a certificate and its key are told together, as they're set, if they don't belong together", () => {
  const cert = fileURLToPath(new URL("../support/tls/cert.pem", import.meta.url));
  const key = fileURLToPath(new URL("../support/tls/key.pem", import.meta.url));
  const directory = mkdtempSync(join(tmpdir(), "instant-payment-pair-"));
  const other = join(directory, "key.pem");
  const { privateKey } = generateKeyPairSync("ed25519");
  writeFileSync(other, privateKey.export({ type: "pkcs8", format: "pem" }));
  const empty = join(directory, "empty.pem");
  writeFileSync(empty, "");
  const pair = (certFile: string, keyFile: string) => ({
    TLS_CERT_FILE: certFile,
    TLS_KEY_FILE: keyFile,
  });
  expect(complaints(pair(cert, key))).toEqual([]);
  for (const wrong of [pair(cert, other), pair("package.json", key), pair(cert, empty)]) {
    expect(complaints(wrong)).toEqual([
      expect.stringMatching(/^TLS_CERT_FILE and TLS_KEY_FILE must be a certificate .* \(.+\)$/),
    ]);
  }
  expect(
    complaints({ KAFKA_TLS: "on", KAFKA_TLS_CERT_FILE: cert, KAFKA_TLS_KEY_FILE: other }),
  ).toEqual([expect.stringMatching(/^KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE must be/)]);
  rmSync(directory, { recursive: true });
});

test("an empty DATABASE_URL is refused, not taken for the embedded database", () => {
  const line = "DATABASE_URL is set but empty: unset it for the embedded PostgreSQL, or give a URL";
  for (const empty of [{ DATABASE_URL: "" }, { DATABASE_URL_FILE: "" }]) {
    expect(complaints({ ...empty, ADMIN_API_KEY: KEY })).toEqual([line]);
    expect(complaints(empty, false)).toEqual([line]);
  }
  const url = "postgresql://u:p@h/d";
  const both = { DATABASE_URL: url, DATABASE_URL_FILE: "", ADMIN_API_KEY: KEY };
  expect(readConfig({ serving: true }, both).DATABASE_URL).toBe(url);
  const emptyFile = { DATABASE_URL_FILE: "/dev/null" };
  expect(complaints(emptyFile)).toEqual([expect.stringMatching(/^DATABASE_URL must look like/)]);
});

test("a mode of TLS to the database is written as what pg makes of it", () => {
  const urlOf = (query: string) =>
    readConfig({ serving: false }, { DATABASE_URL: `postgres://u:p%3f@h/d${query}` }).DATABASE_URL;
  for (const mode of ["prefer", "require", "verify-ca", "verify-full"]) {
    expect(urlOf(`?a=b&sslmode=${mode}&c=d`)).toBe(
      "postgres://u:p%3f@h/d?a=b&sslmode=verify-full&c=d",
    );
  }
  for (const kept of ["", "?sslmode=disable", "?uselibpqcompat=true&sslmode=require"]) {
    expect(urlOf(kept)).toBe(`postgres://u:p%3f@h/d${kept}`);
  }
});
