import { createDatabaseClock, systemClock } from "../kernel/clock.ts";
import { ServiceError } from "../kernel/errors.ts";
import { isScope, SCOPES, type Scope } from "../kernel/principal.ts";
import type { ApiKeyRow } from "../keys/api-key.entity.ts";
import { toApiKeyJson } from "../keys/api-key.message.ts";
import { createManageKeys, type KeyWithSecret, type ManageKeys } from "../keys/manage-keys.ts";
import { administrator } from "../platform/authenticate.ts";
import { StartupError } from "../platform/startup-error.ts";
import { createUnitOfWork } from "../platform/unit-of-work.ts";
import { assertMigrated } from "../scheduler/prepare-schema.ts";
import type { Command, CommandOptions } from "./command.ts";
import { withDatabase } from "./with-database.ts";

const CALL = { principal: administrator(), deadlineMs: Number.POSITIVE_INFINITY };
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
const MAX_GRACE_HOURS = 720;
/** As in the contract. */
const LAST_EXPIRY_MS = Date.UTC(9999, 11, 31);

/** Makes a key, shown once. */
export const keysCreate: Command = {
  summary: "Make an API key for an owner and show its secret once",
  help: [
    "Makes a key on the database at DATABASE_URL, or the embedded one, also while the service runs.",
    "",
    "  --owner ID       whose accounts and idempotency keys it works with",
    "  --scopes A,B     what it allows, of:",
    `                   ${SCOPES.join(", ")}`,
    "  --name TEXT      what it's called, for people",
    "  --expires TIME   from when on it doesn't work, for example 2027-01-31T00:00:00Z",
    "  --json           { apiKey, secret }",
  ].join("\n"),
  options: {
    owner: { type: "string" },
    scopes: { type: "string" },
    name: { type: "string" },
    expires: { type: "string" },
  },
  async run(options) {
    const wanted = {
      ownerId: option(options, "owner", /^[ -~]{1,128}$/, "1 to 128 printable ASCII characters"),
      scopes: parseScopes(options),
      displayName: text(options, "name") ?? "",
      expireTime: parseTime(options),
    };
    if (wanted.displayName.length > 100) throw misuse("--name must be at most 100 characters");
    showSecret(options, await onKeys((keys) => keys.create(CALL, wanted)));
    return 0;
  },
};

/** Lists keys without their secrets. */
export const keysList: Command = {
  summary: "List API keys, without their secrets",
  help: [
    "  --owner ID   only keys of this owner",
    "  --json       each key on a line, as instantpayment.v1.ApiKey in JSON",
  ].join("\n"),
  options: { owner: { type: "string" } },
  async run(options) {
    const ownerId = text(options, "owner");
    await onKeys(async (keys) => {
      let pageToken = "";
      do {
        const page = await keys.list(CALL, { ownerId, pageSize: 1_000, pageToken });
        for (const key of page.keys)
          options.print(options.json ? toApiKeyJson(key) : describe(key));
        pageToken = page.nextPageToken;
      } while (pageToken !== "" && !options.unread.aborted);
    });
    return 0;
  },
};

/** Gives a key a new secret, shown once. */
export const keysRotate: Command = {
  summary: "Give an API key a new secret and show it once",
  help: [
    "  --key ID        the key's id",
    "  --grace HOURS   how long the old secret goes on working: 0 to 720, 24 if absent",
    "  --json          { apiKey, secret }",
  ].join("\n"),
  options: { key: { type: "string" }, grace: { type: "string" } },
  async run(options) {
    const id = option(options, "key", UUID, "a key's id, as `keys list` shows it");
    const hours = Number(text(options, "grace") ?? "24");
    if (!(hours >= 0 && hours <= MAX_GRACE_HOURS)) {
      throw misuse(`--grace must be 0 to ${MAX_GRACE_HOURS} hours`);
    }
    const graceMs = Math.round(hours * 3_600_000);
    showSecret(options, await onKeys((keys) => keys.rotate(CALL, id.toLowerCase(), graceMs)));
    return 0;
  },
};

/** Ends a key for good. */
export const keysRevoke: Command = {
  summary: "End an API key for good, everywhere within two seconds",
  help: ["  --key ID   the key's id", "  --json     { apiKey }"].join("\n"),
  options: { key: { type: "string" } },
  async run(options) {
    const id = option(options, "key", UUID, "a key's id, as `keys list` shows it");
    const key = await onKeys((keys) => keys.revoke(CALL, id.toLowerCase()));
    options.print(options.json ? `{"apiKey":${toApiKeyJson(key)}}` : describe(key));
    return 0;
  },
};

/** Works with the use cases of ApiKeyService. A refusal of theirs is told in a line. */
async function onKeys<T>(work: (keys: ManageKeys) => Promise<T>): Promise<T> {
  return withDatabase(async (database) => {
    await assertMigrated(database);
    const databaseClock = createDatabaseClock(systemClock);
    const unitOfWork = createUnitOfWork(database);
    try {
      return await work(createManageKeys({ orm: database.orm, unitOfWork, databaseClock }));
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      throw misuse(error.message);
    }
  });
}

function showSecret({ json, print }: CommandOptions, { key, secret }: KeyWithSecret): void {
  if (json) return print(`{"apiKey":${toApiKeyJson(key)},"secret":${JSON.stringify(secret)}}`);
  print(describe(key));
  print(`secret, shown once: ${secret}`);
}

function describe(key: ApiKeyRow): string {
  const { id, ownerId, scopes, displayName, expireTime, revokeTime, lastUseTime } = key;
  return [
    `key ${id} of ${ownerId}: ${scopes.join(",")}`,
    displayName && `"${displayName}"`,
    expireTime && `expires ${expireTime.toISOString()}`,
    revokeTime && `revoked ${revokeTime.toISOString()}`,
    lastUseTime && `last used ${lastUseTime.toISOString()}`,
  ]
    .filter(Boolean)
    .join(", ");
}

function parseScopes(options: CommandOptions): Scope[] {
  const words = (text(options, "scopes") ?? "").split(",").map((word) => word.trim());
  const wrong = words.find((word) => !isScope(word));
  if (wrong === undefined) return SCOPES.filter((scope) => words.includes(scope));
  const not = wrong === "" ? "" : `, not '${wrong}'`;
  throw misuse(`--scopes must be some of ${SCOPES.join(", ")}, separated by commas${not}`);
}

function parseTime(options: CommandOptions): Date | undefined {
  const given = text(options, "expires");
  if (given === undefined) return undefined;
  const time = new Date(given);
  const [, date = ""] = /^(\d{4}-\d\d-\d\d)T.*(Z|[+-]\d\d:\d\d)$/.exec(given) ?? [];
  // To Date 31 February is one of March, on which the key would still work.
  const isDay = new Date(`${date}T00:00Z`).toJSON()?.startsWith(`${date}T`);
  if (!isDay || !(time.getTime() <= LAST_EXPIRY_MS)) {
    throw misuse(`--expires must be a time such as 2027-01-31T00:00:00Z, not '${given}'`);
  }
  if (time.getTime() > systemClock.now()) return time;
  throw misuse(`--expires must be in the future, not '${given}'`);
}

function text({ values }: CommandOptions, name: string): string | undefined {
  return values[name]?.toString();
}

function option(options: CommandOptions, name: string, form: RegExp, what: string): string {
  const given = text(options, name);
  if (given !== undefined && form.test(given)) return given;
  // Whoever gives a whole key for its id isn't shown the secret once more.
  const not = given === undefined || given.startsWith("ipk_") ? "" : `, not '${given}'`;
  throw misuse(`--${name} must be ${what}${not}`);
}

function misuse(reason: string): StartupError {
  return new StartupError("usage", reason);
}
