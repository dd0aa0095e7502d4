import type { Config, ConfigPurpose } from "./config.ts";
import { jwtConflictsIn } from "./platform/jwt-settings.ts";
import { kafkaConflictsIn } from "./platform/kafka-settings.ts";
import { isLoopback, pairConflictsIn } from "./platform/setting-parsers.ts";

/** What is wrong with settings only in combination, a line for each. */
export function conflictsIn(config: Config, purpose: ConfigPurpose): string[] {
  const errors: string[] = [];
  errors.push(
    ...pairConflictsIn(config, "TLS_CERT_FILE", "TLS_KEY_FILE"),
    ...jwtConflictsIn(config),
    ...kafkaConflictsIn(config),
  );
  if (!purpose.serving) return errors;
  if (!servesCalls(config)) return errors;
  if (config.PORT === config.ADMIN_PORT && config.PORT !== 0) {
    errors.push(`ADMIN_PORT must differ from PORT, both are ${config.PORT}`);
  }
  if (!isLoopback(config.HOST)) errors.push(...conflictsInPublic(config, purpose));
  const hasAdmin = config.ADMIN_API_KEY !== undefined || config.AUTH === "none";
  if (config.DATABASE_URL !== undefined && !hasAdmin) {
    errors.push("ADMIN_API_KEY must be set with DATABASE_URL");
  }
  return errors;
}

/** True for an instance that has a port for callers. */
export function servesCalls({ ROLES: roles }: Pick<Config, "ROLES">): boolean {
  return roles.includes("payments") || roles.includes("accounts");
}

/** What others who can reach the service mustn't find. */
function conflictsInPublic(config: Config, { insecureAllowNoAuth }: ConfigPurpose): string[] {
  const errors: string[] = [];
  const host = `HOST ${config.HOST} can be reached by others`;
  if (config.TLS_CERT_FILE === undefined && !config.TRUST_PROXY) {
    errors.push(
      `${host}: set TLS_CERT_FILE and TLS_KEY_FILE, or TRUST_PROXY=true behind a proxy with TLS`,
    );
  }
  if (config.AUTH === "none" && !insecureAllowNoAuth) {
    errors.push(
      `${host}, and AUTH=none lets them move all money: leave AUTH out, or start with ` +
        "--insecure-allow-no-auth",
    );
  }
  return errors;
}
