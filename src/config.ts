import { readFileSync } from "node:fs";
import { conflictsIn } from "./config-conflicts.ts";
import { JWT_SETTINGS } from "./platform/jwt-settings.ts";
import { KAFKA_SETTINGS } from "./platform/kafka-settings.ts";
import {
  type Setting,
  type SettingValues,
  apiKey,
  flag,
  host,
  oneOf,
  origins,
  path,
  postgresUrl,
  redisUrl,
  readableFile,
  someOf,
  wholeNumber,
} from "./platform/setting-parsers.ts";
import { StartupError } from "./platform/startup-error.ts";
import { unknownSettings } from "./unknown-settings.ts";

/** Every setting of the service. An empty variable counts as an unset one, except for `ifEmpty`. */
export const SETTINGS = {
  PORT: {
    description: "Port of the API; 0 takes a free one.",
    default: "8080",
    parse: wholeNumber(0, 65_535),
  },
  HOST: {
    description: "Address to listen on. One that others can reach needs TLS or TRUST_PROXY.",
    default: "127.0.0.1",
    parse: host,
  },
  ADMIN_PORT: {
    description: "Port of /livez, /readyz and /metrics; 0 takes a free one.",
    default: "9090",
    parse: wholeNumber(0, 65_535),
  },
  DATABASE_URL: {
    description:
      "PostgreSQL 15 or newer to use, in UTF8. Unset: an embedded one in DATA_DIR. Empty: refused.",
    parse: postgresUrl,
    // Money mustn't go to a disk of this machine because somebody's variable has no value.
    ifEmpty: "unset it for the embedded PostgreSQL, or give a URL",
    secret: true,
  },
  REDIS_URL: {
    description:
      "Redis 6.2 or newer, or Valkey, in which instances queue for hot accounts. Unset: each " +
      "instance has a queue of its own.",
    parse: redisUrl,
    secret: true,
  },
  DATA_DIR: {
    description: "Directory of the embedded PostgreSQL and of the generated admin key.",
    default: ".data",
    parse: path,
  },
  LOG_LEVEL: {
    description: "Least level that is logged: trace, debug, info, warn, error, fatal or silent.",
    default: "info",
    parse: oneOf("trace", "debug", "info", "warn", "error", "fatal", "silent"),
  },
  ADMIN_API_KEY: {
    description:
      "Key of the administrator. Needed with DATABASE_URL unless AUTH is none, otherwise generated.",
    parse: apiKey,
    secret: true,
  },
  AUTH: {
    description:
      "keys: every call needs a key; none: every caller is the administrator, for trying out on " +
      "the loopback.",
    default: "keys",
    parse: oneOf("keys", "none"),
  },
  ...JWT_SETTINGS,
  TRUST_PROXY: {
    description: "true: a proxy before the service ends TLS, so HOST may be public without it.",
    default: "false",
    parse: flag,
  },
  CORS_ORIGINS: {
    description: "Origins whose web pages may call the API, separated by commas. Unset: none.",
    default: "",
    parse: origins,
  },
  TLS_CERT_FILE: {
    description: "PEM file of the certificate chain. Set with TLS_KEY_FILE, it turns on TLS.",
    parse: readableFile,
  },
  TLS_KEY_FILE: {
    description: "PEM file of the certificate's private key.",
    parse: readableFile,
  },
  ROLES: {
    description:
      "What this instance does, separated by commas: payments and accounts serve calls " +
      "(the other services are on both), relay publishes events to Kafka or else to webhooks, " +
      "notifier sends webhooks, scheduler does what is due: retries, expiry, partitions.",
    default: "payments,accounts,relay,notifier,scheduler",
    parse: someOf("payments", "accounts", "relay", "notifier", "scheduler"),
  },
  ...KAFKA_SETTINGS,
  MIGRATE: {
    description:
      "auto: migrate at start, for a single instance; manual: refuse to start on an unmigrated " +
      "database. The embedded one is always migrated.",
    default: "manual",
    parse: oneOf("auto", "manual"),
  },
  WEBHOOK_ALLOW_PRIVATE: {
    description:
      "true: webhooks may go to private addresses and without TLS, for trying out and for networks " +
      "in which every owner may reach every host.",
    default: "false",
    parse: flag,
  },
  DATABASE_POOL_SIZE: {
    description: "Most connections to PostgreSQL for reads and account changes.",
    default: "10",
    parse: wholeNumber(1, 1_000),
  },
  COMMIT_MAX_BATCH: {
    description: "Most payments in one database transaction.",
    default: "256",
    parse: wholeNumber(1, 10_000),
  },
  COMMIT_MAX_QUEUE: {
    description:
      "Most payments that wait for a transaction; more are refused as OVERLOADED, and so is a larger atomic batch.",
    default: "10000",
    parse: wholeNumber(1, 1_000_000),
  },
  SHUTDOWN_DELAY_MS: {
    description:
      "How long a stop goes on taking calls while /readyz says no, in milliseconds, so that a " +
      "load balancer sees it first.",
    default: "0",
    parse: wholeNumber(0, 600_000),
  },
  MAX_STREAMS: {
    description:
      "Most streams of WatchPayment and WatchAccount at once; more are refused as OVERLOADED.",
    default: "10000",
    parse: wholeNumber(0, 1_000_000),
  },
  MAX_STREAMS_PER_OWNER: {
    description: "Most of those streams of one owner. Unset: half of MAX_STREAMS.",
    parse: wholeNumber(0, 1_000_000),
  },
  SHUTDOWN_GRACE_MS: {
    description:
      "How long a stop waits for running calls, in milliseconds; 15 s later it ends in any case.",
    default: "10000",
    parse: wholeNumber(0, 600_000),
  },
} satisfies Record<string, Setting<unknown>>;

/** The settings' values, by their names. */
export type Config = SettingValues<typeof SETTINGS>;

/** The environment of this process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the settings are read for. */
export interface ConfigPurpose {
  /** Checks what only a server needs, such as a key for the administrator. */
  readonly serving: boolean;
  /** The flag `--insecure-allow-no-auth` was given: AUTH=none may be reached by others. */
  readonly insecureAllowNoAuth?: boolean;
}

/**
 * Reads and checks every setting. Throws a StartupError with one line for each wrong setting, all at once.
 */
export function readConfig(purpose: ConfigPurpose, environment: Environment = process.env): Config {
  const errors: string[] = [];
  const values = Object.entries(SETTINGS).map(([name, setting]) => {
    try {
      return [name, readSetting(name, setting, environment)];
    } catch (error) {
      errors.push(`${name} ${error instanceof Error ? error.message : String(error)}`);
      return [name, undefined];
    }
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- just made from the table
  const config = Object.freeze(Object.fromEntries(values)) as Config;
  if (errors.length === 0) errors.push(...conflictsIn(config, purpose));
  if (errors.length > 0) throw new StartupError("settings", errors.join("\n"));
  return config;
}

/** A warning for each variable that looks like a setting and is none. */
export function unknownSettingsIn(environment: Environment = process.env): string[] {
  const known = Object.entries<Setting<unknown>>(SETTINGS).flatMap(([name, { secret }]) =>
    secret ? [name, `${name}_FILE`] : [name],
  );
  return unknownSettings(Object.keys(environment), known);
}

/** True if LOG_LEVEL asks for where an error was thrown, for those who look for its cause. */
export function wantsStacks(environment: Environment = process.env): boolean {
  return ["debug", "trace"].includes(environment["LOG_LEVEL"] ?? "");
}

function readSetting(name: string, setting: Setting<unknown>, environment: Environment): unknown {
  const given = environment[name] === "" ? undefined : environment[name];
  const text = given ?? setting.default;
  const file = setting.secret ? environment[`${name}_FILE`] : undefined;
  if (file !== undefined && file !== "") {
    if (given !== undefined) throw new Error(`and ${name}_FILE are both set: leave one out`);
    return setting.parse(readSecretFile(name, file));
  }
  const isEmpty = given === undefined && (environment[name] === "" || file === "");
  if (isEmpty && setting.ifEmpty !== undefined) {
    throw new Error(`is set but empty: ${setting.ifEmpty}`);
  }
  if (text === undefined) return undefined;
  try {
    return setting.parse(text);
  } catch (error) {
    if (setting.secret || !(error instanceof Error)) throw error;
    throw new Error(`${error.message}, not ${JSON.stringify(text)}`, { cause: error });
  }
}

function readSecretFile(name: string, file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw new Error(`can't be read from ${name}_FILE ${JSON.stringify(file)}`, { cause });
  }
}
