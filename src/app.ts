import { createAccountRpc } from "./accounts/account.rpc.ts";
import { createHotAccounts } from "./accounts/hot-accounts.ts";
import type { OpenAccountUseCase } from "./accounts/open-account.ts";
import type { Config } from "./config.ts";
import { servesCalls } from "./config-conflicts.ts";
import { createEventRelay } from "./events/event-relay.ts";
import { createKafkaPublisher } from "./events/kafka-publisher.ts";
import { eventTopicOf } from "./events/kafka-topic.ts";
import { createApiKeyRpc } from "./keys/api-key.rpc.ts";
import { createCallers } from "./keys/callers.ts";
import type { ManageKeys } from "./keys/manage-keys.ts";
import type { BatchObserver } from "./ledger/lane.ts";
import { createLedgerRpc } from "./ledger/ledger.rpc.ts";
import type { CreatePaymentUseCase } from "./payments/create-payment.ts";
import { createPaymentRpc } from "./payments/payment.rpc.ts";
import { accountsOf, paymentsOf } from "./payments/payment-command.ts";
import { createAdminServer } from "./platform/admin-server.ts";
import { openDatabase, type Database } from "./platform/database.ts";
import { openDatabaseSource } from "./platform/database-source.ts";
import { assertPortsFree, urlOf } from "./platform/listen.ts";
import type { Logger } from "./platform/logger.ts";
import { createKafka } from "./platform/kafka.ts";
import { createMetrics } from "./platform/metrics.ts";
import { callOf } from "./rpc/call.ts";
import { implementContract } from "./rpc/contract.ts";
import { docsRoutes, type DocsExamples } from "./rpc/docs.ts";
import { describeError } from "./rpc/error-mapping.ts";
import { createRpcServer } from "./rpc/server.ts";
import { startDueJob } from "./scheduler/due-job.ts";
import { startPartitionJob } from "./scheduler/partition-job.ts";
import { prepareSchema } from "./scheduler/prepare-schema.ts";
import { entities } from "./schema.ts";
import { COMMIT_LANES, createUseCases, type UseCases } from "./use-cases.ts";
import type { ManageWebhooks } from "./webhooks/manage-webhooks.ts";
import { createWebhookEffect } from "./webhooks/mark-effect.ts";
import { createNotifier } from "./webhooks/notifier.ts";
import { readWebhookEvent } from "./webhooks/webhook.event.ts";
import { createWebhookRpc } from "./webhooks/webhook.rpc.ts";

/** What an instance is made of. */
export interface AppOptions {
  readonly config: Config;
  /** Needed by an instance that takes calls; not used if AUTH is none. */
  readonly adminKey: string | undefined;
  readonly logger: Logger;
  /**
   * Called when payments can be made and before calls are taken. What it returns stands in the API
   * reference's examples.
   */
  readonly prepare?: Prepare;
}

/** Makes what has to be there before calls are taken; returns values for the examples. */
export type Prepare = (useCases: PrepareUseCases) => Promise<DocsExamples>;

/** What can be prepared. */
export interface PrepareUseCases {
  readonly openAccount: OpenAccountUseCase;
  readonly createPayment: CreatePaymentUseCase;
  readonly manageKeys: ManageKeys;
  readonly manageWebhooks: ManageWebhooks;
}

/** An instance that does its work. */
export interface RunningApp {
  /** Undefined if it has no role that takes calls. */
  readonly apiUrl: string | undefined;
  readonly adminUrl: string;
}

/** One instance of the service. */
export interface App {
  /** Resolves once calls are taken, or events published. Throws StartupError; what was begun is ended by `close`. */
  start(): Promise<RunningApp>;
  /** From now on it isn't ready, so that load balancers turn to others; all goes on as before. */
  announceStop(): void;
  /** Lets what is under way finish and ends everything, in the reverse order of the start. */
  close(): Promise<void>;
}

/** For hot payments, for probes, for making partitions and for finding callers' keys. */
const OTHER_COMMIT_CONNECTIONS = 4;

/** Puts the service together; nothing happens until it's started. */
export function createApp(options: AppOptions): App {
  const { config, logger } = options;
  const { HOST: host, PORT: port, ADMIN_PORT: adminPort } = config;
  const metrics = createMetrics();
  const closers: (() => Promise<void>)[] = [];
  let state: "starting" | "serving" | "draining" = "starting";

  async function start(): Promise<RunningApp> {
    await assertPortsFree([
      ...(servesCalls(config) ? [{ host, port, setting: "PORT" }] : []),
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
    const isScheduler = config.ROLES.includes("scheduler");
    if (isScheduler) closers.push(startPartitionJob(database, logger));
    const watched = { database, logger, metrics };
    const { relay, notifier, checkKafka } = createEventParts(config, watched);
    const checks = {
      serving: () => (state === "serving" ? Promise.resolve() : Promise.reject(new Error(state))),
      database: async () => void (await database.commitPool.query("select 1")),
      // Without Kafka payments go on: whoever takes calls stays ready.
      ...(checkKafka && !servesCalls(config) && { kafka: checkKafka }),
    };
    const redisUrl = servesCalls(config) || isScheduler ? config.REDIS_URL : undefined;
    const hotAccounts = createHotAccounts({ redisUrl, logger, metrics });
    closers.push(hotAccounts.close);
    const degraded = (): Record<string, string> => {
      const [events, webhooks] = [relay?.degraded(), notifier?.degraded()];
      return {
        ...hotAccounts.degraded(),
        ...(events !== undefined && { events }),
        ...(webhooks !== undefined && { webhooks }),
      };
    };
    const served = { checks, degraded, metrics: metrics.registry };
    const admin = createAdminServer({ host, port: adminPort, ...served });
    closers.push(() => admin.close());
    const adminUrl = urlOf("http", host, await admin.start());

    for (const part of [notifier, relay]) {
      if (part) closers.push(() => part.stop());
      part?.start();
    }
    const observe: BatchObserver = ({ commands, seconds }) => {
      metrics.observeBatch({ size: commands.length, seconds });
      relay?.wake();
      useCases.wakePayments(commands.flatMap(paymentsOf));
      useCases.wakeAccounts(commands.flatMap(accountsOf));
    };
    const useCases = createUseCases(config, database, { ...hotAccounts, observe, logger });
    metrics.watchQueue(() => useCases.ledger.waiting);
    closers.push(() => useCases.ledger.drain());
    if (isScheduler) closers.push(startDueJob(useCases.runDuePayments, watched));
    const apiUrl = servesCalls(config) ? await serveCalls(database, useCases) : undefined;
    state = "serving";
    logger.info({ apiUrl, adminUrl, roles: config.ROLES, database: source.place }, "serving");
    return { apiUrl, adminUrl };
  }

  async function serveCalls(database: Database, useCases: UseCases): Promise<string> {
    const { adminKey } = options;
    if (adminKey === undefined) throw new Error("there's no key to know the administrator by");
    const callers = await createCallers(config, { adminKey, database, logger });
    closers.push(() => callers.close());
    const examples = (await options.prepare?.(useCases)) ?? {};
    const server = createServer(options, useCases, {
      authenticate: callers.authenticate,
      httpRoutes: Object.fromEntries(docsRoutes({ examples })),
      isReady: () => state === "serving",
      logger,
      observe: metrics.observeCall,
    });
    closers.push(() => server.close(config.SHUTDOWN_GRACE_MS));
    metrics.watchStreams(() => server.openStreams);
    const bound = await server.start();
    return urlOf(config.TLS_CERT_FILE === undefined ? "http" : "https", bound.host, bound.port);
  }

  return {
    start,
    announceStop: () => void (state = "draining"),
    async close() {
      state = "draining";
      for (const close of closers.splice(0).toReversed()) {
        await close().catch((err: unknown) => logger.error({ err }, "a part didn't close"));
      }
    },
  };
}

type EventDeps = Omit<Parameters<typeof createEventRelay>[0], "publisher">;

/** What this instance does with events by its roles; the check is undefined without Kafka. */
function createEventParts(config: Config, deps: EventDeps) {
  const { KAFKA_BROKERS: brokers, ROLES: roles, WEBHOOK_ALLOW_PRIVATE: allowPrivate } = config;
  const kafka = brokers && createKafka(brokers, config);
  const topic = eventTopicOf(config);
  const shared = { ...deps, readEvent: readWebhookEvent };
  const notifier = roles.includes("notifier")
    ? createNotifier({ ...shared, kafka, topic, allowPrivate })
    : undefined;
  const publisher = kafka
    ? createKafkaPublisher(kafka, topic)
    : createWebhookEffect({ ...shared, written: () => notifier?.wake() });
  const relay = roles.includes("relay") ? createEventRelay({ ...deps, publisher }) : undefined;
  const checkRelay = async () => {
    if ("check" in publisher) await publisher.check();
    relay?.check();
  };
  return { relay, notifier, checkKafka: kafka && (relay ? checkRelay : notifier?.check) };
}

type ServerParts = Pick<
  Parameters<typeof createRpcServer>[0],
  "authenticate" | "httpRoutes" | "isReady" | "logger" | "observe"
>;

/** The server in front of the use cases, with the services of this instance's roles. */
function createServer({ config }: AppOptions, useCases: UseCases, parts: ServerParts) {
  const { ROLES: roles, TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile } = config;
  const paymentRpc = createPaymentRpc({ callOf, describeError, ...useCases });
  const accountRpc = createAccountRpc({ callOf, ...useCases });
  return createRpcServer({
    host: config.HOST,
    port: config.PORT,
    tls: certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile },
    corsOrigins: config.CORS_ORIGINS,
    limits: {
      maxConcurrentStreams: config.MAX_STREAMS,
      maxStreamsPerOwner: config.MAX_STREAMS_PER_OWNER ?? Math.ceil(config.MAX_STREAMS / 2),
    },
    ...implementContract({
      payments: roles.includes("payments") ? paymentRpc : undefined,
      accounts: roles.includes("accounts") ? accountRpc : undefined,
      ledger: createLedgerRpc({ callOf, ...useCases }),
      keys: createApiKeyRpc({ callOf, ...useCases }),
      webhooks: createWebhookRpc({ callOf, ...useCases }),
    }),
    ...parts,
  });
}
