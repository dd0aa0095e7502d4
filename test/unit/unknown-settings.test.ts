import { expect, test } from "vitest";
import { SETTINGS, unknownSettingsIn } from "../../src/config.ts";

/** What the service says of an environment with these variables. */
function warnings(...names: string[]): string[] {
  return unknownSettingsIn(Object.fromEntries(names.map((name) => [name, "x"])));
}

test.each([
  ["DATABSE_URL", "DATABASE_URL"],
  ["DATABASE_URL_FIL", "DATABASE_URL_FILE"],
  ["KAFKA_BROKER", "KAFKA_BROKERS"],
  ["REDISURL", "REDIS_URL"],
  ["WEBHOOK_ALLOW_PRIVAT", "WEBHOOK_ALLOW_PRIVATE"],
  ["LOG_LEVL", "LOG_LEVEL"],
  ["ADMIN_APIKEY", "ADMIN_API_KEY"],
])("%s is told, with %s", (given, meant) => {
  expect(warnings(given)).toEqual([`unknown setting ${given}: did you mean ${meant}?`]);
});

test("what begins as settings do is told, even if none is near", () => {
  expect(warnings("KAFKA_ACKS", "JWT_SECRET", "DATABASE_PASSWORD", "TLS_CA")).toEqual([
    "unknown setting KAFKA_ACKS: it has no effect",
    "unknown setting JWT_SECRET: it has no effect",
    "unknown setting DATABASE_PASSWORD: it has no effect",
    "unknown setting TLS_CA: it has no effect",
  ]);
});

test("no setting is told, and no secret's file", () => {
  expect(warnings(...Object.keys(SETTINGS), "DATABASE_URL_FILE", "REDIS_URL_FILE")).toEqual([]);
});

test("what other programs, Kubernetes and Docker set isn't told", () => {
  const link = (service: string) => [
    `${service}_SERVICE_HOST`,
    `${service}_SERVICE_PORT`,
    `${service}_SERVICE_PORT_CLIENT_TLS`,
    `${service}_PORT`,
    `${service}_PORT_6379_TCP`,
    `${service}_PORT_6379_TCP_PROTO`,
    `${service}_PORT_6379_TCP_PORT`,
    `${service}_PORT_6379_TCP_ADDR`,
    `${service}_NAME`,
    `${service}_ENV_VERSION`,
  ];
  const services = ["KUBERNETES", "REDIS", "KAFKA", "KAFKA_BROKER", "WEBHOOK_SENDER", "POSTGRES"];
  const own =
    "PATH HOME HOSTNAME USER SHELL PWD TERM LANG LC_ALL TZ EDITOR MAIL TMPDIR NODE_ENV NODE_OPTIONS " +
    "npm_config_cache npm_package_name INIT_CWD COLOR CI HTTP_PROXY NO_PROXY SSL_CERT_FILE DEBUG " +
    "PGPASSWORD PGHOST PORTS HOSTS ROLE XDG_DATA_DIRS DATA_PATH LOG_FORMAT MAX_MEMORY COMMIT_SHA UV_USE_IO_URING " +
    "OTEL_EXPORTER_OTLP_ENDPOINT JAVA_HOME VIRTUAL_ENV SSH_AUTH_SOCK POSTGRES_PASSWORD AWS_REGION";
  expect(warnings(...services.flatMap(link), ...own.split(" "))).toEqual([]);
});
