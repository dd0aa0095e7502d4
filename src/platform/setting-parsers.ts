import { createPrivateKey, X509Certificate } from "node:crypto";
import { accessSync, constants, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { createSecureContext } from "node:tls";

/**
 * Reads the text of a setting that isn't empty; throws an Error whose message completes
 * "NAME …", for example "must be a whole number".
 */
export type SettingParser<T> = (text: string) => T;

/** One setting: an environment variable. */
export interface Setting<T> {
  /** What it is good for, in a sentence or two, for the README. */
  readonly description: string;
  /** As it would be written in the environment; absent: there is none, and unset is undefined. */
  readonly default?: string;
  readonly parse: SettingParser<T>;
  /** What to do if it's set but empty, which otherwise counts as unset. */
  readonly ifEmpty?: string;
  /** Never shown, and also read from the file that `NAME_FILE` names. */
  readonly secret?: true;
}

/** The values of a table of settings, by their names. */
export type SettingValues<Table> = { readonly [Name in keyof Table]: Parsed<Table[Name]> };

type Parsed<S> = S extends { parse: SettingParser<infer T>; default: string }
  ? T
  : S extends { parse: SettingParser<infer T> }
    ? T | undefined
    : never;

/** A whole number within bounds, both included. */
export function wholeNumber(least: number, most: number): SettingParser<number> {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,15}$/.test(text) && value >= least && value <= most) return value;
    throw new Error(`must be a whole number from ${least} to ${most}`);
  };
}

/** One of the words. */
export function oneOf<const T extends string>(...words: T[]): SettingParser<T> {
  return (text) => {
    const word = words.find((word) => word === text);
    if (word !== undefined) return word;
    throw new Error(`must be one of ${words.join(", ")}`);
  };
}

/** true or false. */
export function flag(text: string): boolean {
  if (text === "true" || text === "false") return text === "true";
  throw new Error("must be true or false");
}

/** Some of the words, separated by commas; each once, in the order of the words. */
export function someOf<const T extends string>(...words: T[]): SettingParser<readonly T[]> {
  const parseWord = oneOf(...words);
  return (text) => {
    const given = new Set(splitList(text).map((word) => parseWord(word)));
    return words.filter((word) => given.has(word));
  };
}

/** Web origins, such as `https://app.example.com`, separated by commas. */
export function origins(text: string): readonly string[] {
  return splitList(text).map((origin) => {
    if (URL.canParse(origin) && new URL(origin).origin === origin) return origin;
    throw new Error("must be origins such as https://app.example.com, separated by commas");
  });
}

/** An address or a host name to listen on. */
export function host(text: string): string {
  if (isIP(text) !== 0 || /^[a-z\d]([a-z\d.-]*[a-z\d])?$/i.test(text)) return text;
  throw new Error("must be an address or a host name, such as 127.0.0.1 or ::1");
}

/**
 * The URL of a PostgreSQL database. pg takes the modes of TLS below verify-full for verify-full, and
 * says so in a warning of six lines; written as what they are, there's no warning.
 */
export function postgresUrl(text: string): string {
  const url = URL.parse(text);
  const isPostgres = url?.protocol === "postgres:" || url?.protocol === "postgresql:";
  if (isPostgres && url.hostname !== "" && url.pathname.length > 1) {
    if (url.searchParams.get("uselibpqcompat") === "true") return text;
    return text.replaceAll(/([?&]sslmode=)(prefer|require|verify-ca)(?=[&#]|$)/g, "$1verify-full");
  }
  throw new Error("must look like postgresql://user:password@host:5432/database");
}

/** A URL that nobody on the way can change: https, or http on the loopback. */
export function secureUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname))) {
    return url;
  }
  throw new Error("must be a URL that begins with https://");
}

/** True for a host that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return ["localhost", "::1", "[::1]"].includes(host) || /^127(\.\d+){3}$/.test(host);
}

/** Addresses of Kafka's brokers, separated by commas. */
export function brokers(text: string): readonly string[] {
  const addresses = splitList(text);
  const areAddresses = addresses.every((address) =>
    /^[\w.-]+:\d{1,5}$|^\[.+\]:\d{1,5}$/.test(address),
  );
  if (addresses.length > 0 && areAddresses) return addresses;
  throw new Error("must be addresses such as kafka-1:9092, separated by commas");
}

/** The name of a Kafka topic. */
export function topicName(text: string): string {
  if (/^[\w.-]{1,249}$/.test(text) && text !== "." && text !== "..") return text;
  throw new Error("must be 1 to 249 letters, digits, '.', '_' or '-'");
}

/** The URL of a Redis server; the path may name a database by its number. */
export function redisUrl(text: string): string {
  const url = URL.parse(text);
  const isRedis = url?.protocol === "redis:" || url?.protocol === "rediss:";
  if (isRedis && url.hostname !== "" && /^(\/\d*)?$/.test(url.pathname)) return text;
  throw new Error("must look like redis://user:password@host:6379 or, with TLS, rediss://...");
}

/** A key that is long enough not to be guessed and that fits into an HTTP header. */
export function apiKey(text: string): string {
  if (/^[!-~]{32,256}$/.test(text)) return text;
  throw new Error("must be 32 to 256 printable ASCII characters without spaces");
}

/** The path of a file that can be read. */
export function readableFile(text: string): string {
  try {
    accessSync(text, constants.R_OK);
    return text;
  } catch {
    throw new Error("must be the path of a file that can be read");
  }
}

/** What is wrong with a certificate's file and its private key's, which are of use only together. */
export function pairConflictsIn<Name extends string>(
  config: { readonly [N in Name]: string | undefined },
  certName: Name,
  keyName: Name,
): string[] {
  const { [certName]: certFile, [keyName]: keyFile } = config;
  if (certFile === undefined && keyFile === undefined) return [];
  if (certFile === undefined || keyFile === undefined) {
    return [`${certName} and ${keyName} must be set together`];
  }
  try {
    const [cert, key] = [readFileSync(certFile), readFileSync(keyFile)];
    createSecureContext({ cert, key });
    // The context takes two of different kinds, such as RSA and Ed25519, and no handshake succeeds.
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return [];
    throw new Error("the key is another certificate's");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [`${certName} and ${keyName} must be a certificate and its key in PEM (${reason})`];
  }
}

/** Any text. */
export function anyText(text: string): string {
  return text;
}

/** A path. */
export function path(text: string): string {
  return text;
}

function splitList(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
