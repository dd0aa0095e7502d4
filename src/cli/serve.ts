import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Prepare, type PrepareUseCases, createApp } from "../app.ts";
import { type Config, readConfig, unknownSettingsIn } from "../config.ts";
import { servesCalls } from "../config-conflicts.ts";
import { systemClock } from "../kernel/clock.ts";
import type { Call } from "../kernel/call.ts";
import { administrator } from "../platform/authenticate.ts";
import { openDataDirectory } from "../platform/data-directory.ts";
import { type Logger, createLogger } from "../platform/logger.ts";
import { type AdminKey, adminKeyIn } from "./admin-key.ts";
import { type BannerFacts, banner, workerBanner } from "./banner.ts";
import type { Command } from "./command.ts";
import { type DemoUseCases, ensureDemo } from "./demo.ts";

/** Runs the service until it's told to stop. */
export const serve: Command = {
  summary: "Run the service until SIGTERM or SIGINT",
  help: [
    "Without DATABASE_URL it uses an embedded PostgreSQL in DATA_DIR, migrated, with accounts to",
    "play with. With DATABASE_URL run `instant-payment migrate` first. --json prints the URLs and",
    "the demo's ids as one object instead of the banner. The log goes to standard error. ROLES says",
    "what it does: with `relay` alone it takes no calls and publishes events.",
    "",
    "  --insecure-allow-no-auth   let AUTH=none be reached by others: anybody moves all money",
  ].join("\n"),
  options: { "insecure-allow-no-auth": { type: "boolean" } },
  async run({ json, print, unread, values }) {
    const stopped = reasonToStop(unread);
    const insecureAllowNoAuth = values["insecure-allow-no-auth"] === true;
    const config = readConfig({ serving: true, insecureAllowNoAuth });
    const logger = createLogger(config.LOG_LEVEL);
    for (const line of unknownSettingsIn()) logger.warn(line);
    if (config.AUTH === "none") logger.warn("AUTH=none: every caller is the administrator");
    if (config.ADMIN_API_KEY !== undefined && config.DATABASE_URL === undefined) {
      const dataDir = resolve(config.DATA_DIR);
      logger.warn(
        { dataDir },
        "no DATABASE_URL: the ledger is on this machine's disk, in DATA_DIR",
      );
    }
    const adminKey = await adminKeyOf(config);
    const demo = createDemo(config);
    const app = createApp({ config, logger, adminKey: adminKey?.key, prepare: demo.prepare });
    try {
      const { apiUrl, adminUrl } = await app.start();
      const facts = apiUrl && adminKey && { apiUrl, adminUrl, adminKey, demo: demo.made() };
      if (facts) print(json ? JSON.stringify(withoutKey(facts)) : banner(facts));
      else print(json ? JSON.stringify({ adminUrl }) : workerBanner(adminUrl, config.ROLES));
      const { signal, err } = await stopped;
      app.announceStop();
      if (signal === undefined) {
        logger.fatal({ err }, "stopping after a fault");
        return 1;
      }
      logger.info({ signal }, "stopping");
      await sleep(config.SHUTDOWN_DELAY_MS);
      return 0;
    } finally {
      endAnyway(config, logger);
      await app.close();
    }
  },
};

/** On the embedded database: makes the demo before calls are taken. */
function createDemo(config: Config) {
  let made: BannerFacts["demo"];
  return {
    made: () => made,
    prepare: async (useCases: PrepareUseCases): ReturnType<Prepare> => {
      if (config.DATABASE_URL !== undefined) return {};
      const dataDirectory = await openDataDirectory(config.DATA_DIR);
      const accounts = await ensureDemo(dataDirectory, demoUseCasesOf(useCases));
      const idempotencyKey = `demo-${randomBytes(6).toString("hex")}`;
      made = { dataDirectory, accounts, idempotencyKey };
      return {
        demoDebtorAccountId: accounts.alice,
        demoCreditorAccountId: accounts.bob,
        demoPaymentId: accounts.paymentId,
        demoApiKeyId: accounts.apiKeyId,
        demoWebhookId: accounts.webhookId,
        demoUnusedWebhookId: accounts.unusedWebhookId,
        demoHeldPaymentId: accounts.heldPaymentId,
        demoCancelPaymentId: accounts.cancelPaymentId,
        demoRejectedPaymentId: accounts.rejectedPaymentId,
      };
    },
  };
}

/** Undefined for an instance that takes no calls. */
async function adminKeyOf(config: Config): Promise<AdminKey | undefined> {
  const { AUTH, DATABASE_URL, ADMIN_API_KEY, DATA_DIR } = config;
  if (!servesCalls(config)) return undefined;
  if (ADMIN_API_KEY !== undefined) return { key: ADMIN_API_KEY, source: "setting" };
  if (AUTH === "none") return { key: "", source: "none" };
  if (DATABASE_URL !== undefined) throw new Error("readConfig() lets this pass");
  return adminKeyIn(await openDataDirectory(DATA_DIR));
}

/**
 * Resolves with the first reason to stop: a signal, nobody who reads the banner, or an error that
 * nobody caught, after which only a new process is sound. npm passes Ctrl-C on a second time: that
 * one is void.
 */
function reasonToStop(unread: AbortSignal): Promise<{ signal?: NodeJS.Signals; err?: unknown }> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => resolve({ signal }));
    }
    unread.addEventListener("abort", () => resolve({ signal: "SIGPIPE" }));
    process.on("uncaughtException", (err) => resolve({ err }));
  });
}

/** How long what isn't a call may take to close: SHUTDOWN_GRACE_MS and this later a stop ends. */
export const CLOSE_EXTRA_MS = 15_000;

/** So that a part that doesn't close can't keep a stopped service alive. */
function endAnyway(config: Config, logger: Logger): void {
  const limitMs = config.SHUTDOWN_GRACE_MS + CLOSE_EXTRA_MS;
  setTimeout(() => {
    logger.fatal({ limitMs }, "didn't stop in time");
    process.exit(1);
  }, limitMs).unref();
}

function withoutKey({ adminKey, ...facts }: BannerFacts): object {
  return { ...facts, adminKeyFile: "file" in adminKey ? adminKey.file : undefined };
}

function demoUseCasesOf(useCases: PrepareUseCases): DemoUseCases {
  const { openAccount, createPayment, manageKeys, manageWebhooks } = useCases;
  return {
    async ensureKey(ownerId) {
      const query = { ownerId, pageSize: 0, pageToken: "" };
      const { keys } = await manageKeys.list(demoCall(), query);
      const kept = keys.find((key) => key.displayName === DEMO_KEY && !key.revokeTime);
      const wanted = { ownerId, displayName: DEMO_KEY, expireTime: undefined };
      const scopes = ["accounts:read", "payments:read", "payments:write"] as const;
      return kept ?? (await manageKeys.create(demoCall(), { ...wanted, scopes })).key;
    },
    async ensureWebhooks(ownerId) {
      const query = { ownerId, pageSize: 0, pageToken: "" };
      const { endpoints } = await manageWebhooks.list(demoCall(), query);
      const wanted = { eventTypes: [], description: DEMO_KEY, ordered: false, ownerId };
      while (endpoints.length < 2) {
        const url = "https://shop.example/webhooks";
        endpoints.push((await manageWebhooks.create(demoCall(), { ...wanted, url })).endpoint);
      }
      return endpoints;
    },
    openAccount: (account) =>
      openAccount(demoCall(), { ...account, overdraftLimitMinor: 0n, metadata: {} }),
    createPayment: ({ idempotencyKey, hold, ...payment }) =>
      createPayment(demoCall(), {
        idempotencyKey,
        validateOnly: false,
        request: {
          ...payment,
          endToEndId: "",
          remittanceInformation: "Demo money",
          metadata: {},
          holdDurationMs: hold ? DEMO_HOLD_MS : null,
          retryPolicy: null,
          expireTime: null,
        },
      }),
  };
}

const DEMO_KEY = "Demo";
const DEMO_HOLD_MS = 24 * 3_600_000;
const DEMO_TIMEOUT_MS = 30_000;

function demoCall(): Call {
  return {
    principal: administrator(),
    deadlineMs: systemClock.monotonicMs() + DEMO_TIMEOUT_MS,
  };
}
