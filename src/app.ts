import { createAccountRpc } from "./accounts/account.rpc.ts";
import { createFindAccount } from "./accounts/find-account.ts";
import { createListEntries } from "./accounts/list-entries.ts";
import { createOpenAccount, type OpenAccountUseCase } from "./accounts/open-account.ts";
import { createUpdateAccount } from "./accounts/update-account.ts";
import type { Config } from "./config.ts";
import { createDatabaseClock, systemClock } from "./kernel/clock.ts";
import { createCommitBatch } from "./ledger/commit-batch.ts";
import { createGroupCommit } from "./ledger/group-commit.ts";
import { createLedgerRpc } from "./ledger/ledger.rpc.ts";
import { createVerifyLedger } from "./ledger/verify.ts";
import { createCreatePayment, type CreatePaymentUseCase } from "./payments/create-payment.ts";
import { createFindPayment } from "./payments/find-payment.ts";
import { encodePaymentEvent } from "./payments/payment.event.ts";
import { createPaymentRpc } from "./payments/payment.rpc.ts";
import { createAdminServer } from "./platform/admin-server.ts";
import { createAuthenticate } from "./platform/authenticate.ts";
import { openDatabase, type Database } from "./platform/database.ts";
import { openDatabaseSource } from "./platform/database-source.ts";
import { assertPortsFree } from "./platform/listen.ts";
import type { Logger } from "./platform/logger.ts";
import { createMetrics, type Metrics } from "./platform/metrics.ts";
import { createUnitOfWork } from "./platform/unit-of-work.ts";
import { callOf } from "./rpc/call.ts";
import { implementContract } from "./rpc/contract.ts";
import { createRpcServer } from "./rpc/server.ts";
import { startPartitionJob } from "./scheduler/partition-job.ts";
import { prepareSchema } from "./scheduler/prepare-schema.ts";
import { entities } from "./schema.ts";

/** What an instance is made of. */
export interface AppOptions {
  readonly config: Config;
  readonly adminKey: string;
  readonly logger: Logger;
}

/** An instance that takes calls. */
export interface RunningApp {
  readonly apiUrl: string;
  readonly adminUrl: string;
  readonly openAccount: OpenAccountUseCase;
  readonly createPayment: CreatePaymentUseCase;
}

/** One instance of the service. */
export interface App {
  /** Resolves once calls are taken. Throws StartupError; what was begun is ended by `close`. */
  start(): Promise<RunningApp>;
  /** Lets what is under way finish and ends everything, in the reverse order of the start. */
  close(): Promise<void>;
}

/** Two, so that one collects payments while the other waits for the disk. */
const COMMIT_LANES = 2;
/** For probes and for making partitions. */
const OTHER_COMMIT_CONNECTIONS = 2;

/** Puts the service together; nothing happens until it's started. */
export function createApp(options: AppOptions): App {
  const { config, logger } = options;
  const { HOST: host, PORT: port, ADMIN_PORT: adminPort } = config;
  const metrics = createMetrics();
  const closers: (() => Promise<void>)[] = [];
  let state: "starting" | "serving" | "draining" = "starting";

  async function start(): Promise<RunningApp> {
    await assertPortsFree([
      { host, port, setting: "PORT" },
      { host, port: adminPort, setting: "ADMIN_PORT" },
    ]);
    const source = await openDatabaseSource(config, { share: false });
    closers.push(source.stop);
    const database = await openDatabase({
      url: source.url,
      entities,
      poolSize: config.DATABASE_POOL_SIZE,
      commitPoolSize: COMMIT_LANES + OTHER_COMMIT_CONNECTIONS,
    });
    closers.push(() => database.close());
    const mayMigrate = config.DATABASE_URL === undefined || config.MIGRATE === "auto";
    const migrations = await prepareSchema(database, { mayMigrate });
    if (migrations.length > 0) logger.info({ migrations }, "migrated");
    closers.push(startPartitionJob(database, logger));

    const checks = {
      serving: async () => {
        if (state !== "serving") throw new Error(state);
      },
      database: async () => void (await database.commitPool.query("select 1")),
    };
    const admin = createAdminServer({ host, port: adminPort, checks, metrics: metrics.registry });
    closers.push(() => admin.close());
    const adminUrl = toUrl("http", host, await admin.start());

    const service = createService(options, {
      database,
      metrics,
      isReady: () => state === "serving",
    });
    closers.push(() => service.ledger.drain());
    closers.push(() => service.rpc.close(config.SHUTDOWN_GRACE_MS));
    const bound = await service.rpc.start();
    state = "serving";
    const scheme = config.TLS_CERT_FILE === undefined ? "http" : "https";
    const apiUrl = toUrl(scheme, bound.host, bound.port);
    logger.info({ apiUrl, adminUrl, roles: config.ROLES }, "serving");
    return { apiUrl, adminUrl, ...service };
  }

  return {
    start,
    async close() {
      state = "draining";
      for (const close of closers.splice(0).toReversed()) {
        await close().catch((err: unknown) => logger.error({ err }, "a part didn't close"));
      }
    },
  };
}

interface ServiceParts {
  readonly database: Database;
  readonly metrics: Metrics;
  readonly isReady: () => boolean;
}

/** Ledger, use cases and the server in front of them. */
function createService({ config, adminKey, logger }: AppOptions, parts: ServiceParts) {
  const { database, metrics, isReady } = parts;
  const { orm } = database;
  const unitOfWork = createUnitOfWork(database);
  const databaseClock = createDatabaseClock(systemClock);
  const ledger = createGroupCommit({
    commit: createCommitBatch({ orm, unitOfWork, databaseClock, encodeEvent: encodePaymentEvent }),
    clock: systemClock,
    maxBatch: config.COMMIT_MAX_BATCH,
    maxQueue: config.COMMIT_MAX_QUEUE,
    lanes: COMMIT_LANES,
    observe: metrics.observeBatch,
  });
  metrics.watchQueue(() => ledger.waiting);
  const openAccount = createOpenAccount({ orm, databaseClock });
  const createPayment = createCreatePayment({ orm, ledger, databaseClock });
  const paymentRpc = createPaymentRpc({
    callOf,
    createPayment,
    findPayment: createFindPayment({ orm }),
  });
  const accountRpc = createAccountRpc({
    callOf,
    openAccount,
    updateAccount: createUpdateAccount({ unitOfWork, databaseClock }),
    findAccount: createFindAccount({ orm, databaseClock }),
    listEntries: createListEntries({ orm }),
  });
  const ledgerRpc = createLedgerRpc({ callOf, verifyLedger: createVerifyLedger({ unitOfWork }) });
  const rpc = createRpcServer({
    host: config.HOST,
    port: config.PORT,
    tls:
      config.TLS_CERT_FILE === undefined || config.TLS_KEY_FILE === undefined
        ? undefined
        : { certFile: config.TLS_CERT_FILE, keyFile: config.TLS_KEY_FILE },
    corsOrigins: config.CORS_ORIGINS,
    authenticate: createAuthenticate(adminKey),
    ...implementContract({
      payments: config.ROLES.includes("payments") ? paymentRpc : undefined,
      accounts: config.ROLES.includes("accounts") ? accountRpc : undefined,
      ledger: ledgerRpc,
    }),
    isReady,
    logger,
    observe: metrics.observeCall,
  });
  return { ledger, rpc, openAccount, createPayment };
}

function toUrl(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
