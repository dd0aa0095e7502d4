import { readFileSync } from "node:fs";
import {
  Kafka,
  type KafkaConfig,
  type Producer,
  type ProducerConfig,
  type SASLOptions,
  logLevel,
} from "kafkajs";
import type { KafkaSettings } from "./kafka-settings.ts";

/**
 * A client of the brokers (`host:port`); it connects when it's used. It says nothing by itself: who
 * uses it gets its errors. A request is given up after 10 s; a broker that was stopped without
 * closing its connections would hold it for ever.
 */
export function createKafka(brokers: readonly string[], settings: KafkaSettings): Kafka {
  hideNegativeTimeouts();
  const sasl = saslOf(settings);
  return new Kafka({
    clientId: "instant-payment",
    brokers: [...brokers],
    ...(settings.KAFKA_TLS === "on" && { ssl: tlsOf(settings) }),
    ...(sasl && { sasl }),
    connectionTimeout: 3_000,
    authenticationTimeout: 5_000,
    requestTimeout: 10_000,
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 4 },
    logLevel: logLevel.NOTHING,
  });
}

function tlsOf(settings: KafkaSettings): Exclude<KafkaConfig["ssl"], boolean | undefined> {
  const { KAFKA_TLS_CA_FILE: ca, KAFKA_TLS_CERT_FILE: cert, KAFKA_TLS_KEY_FILE: key } = settings;
  return {
    ...(ca !== undefined && { ca: readFileSync(ca) }),
    ...(cert !== undefined && { cert: readFileSync(cert) }),
    ...(key !== undefined && { key: readFileSync(key) }),
  };
}

function saslOf(settings: KafkaSettings): SASLOptions | undefined {
  const { KAFKA_SASL_MECHANISM: mechanism } = settings;
  if (mechanism === undefined) return undefined;
  const username = settings.KAFKA_SASL_USERNAME ?? "";
  const password = settings.KAFKA_SASL_PASSWORD ?? "";
  // One of each, or the compiler can't tell which of kafkajs's types it is.
  if (mechanism === "plain") return { mechanism, username, password };
  if (mechanism === "scram-sha-256") return { mechanism, username, password };
  return { mechanism, username, password };
}

/** kafkajs 2.2.4 waits for moments that have passed, which Node 24 tells of: that warning alone. */
function hideNegativeTimeouts(): void {
  if (process.emitWarning.name === "emitOtherWarnings") return;
  const emit: (...args: never[]) => void = process.emitWarning.bind(process);
  process.emitWarning = function emitOtherWarnings(...args: unknown[]) {
    if (args[1] !== "TimeoutNegativeWarning") emit(...(args as never[]));
  };
}

/** A connected producer. Throws kafkajs's errors, and then leaves no connection behind. */
export async function connectProducer(kafka: Kafka, config: ProducerConfig): Promise<Producer> {
  const producer = kafka.producer({ allowAutoTopicCreation: false, ...config });
  try {
    await producer.connect();
  } catch (error) {
    await producer.disconnect().catch(() => undefined);
    throw error;
  }
  return producer;
}

/** What Kafka says of a message itself, and will say of it every time. */
const REFUSALS = new Set([
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_RECORD",
  "INVALID_TIMESTAMP",
]);

/** The code with which Kafka refuses a message for good; undefined for any other error. */
export function kafkaRefusal(error: unknown): string | undefined {
  const code = kafkaErrorCode(error);
  return code !== undefined && REFUSALS.has(code) ? code : undefined;
}

/** The code that the broker gave, such as `MESSAGE_TOO_LARGE`; undefined for any other error. */
export function kafkaErrorCode(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("type" in cause && typeof cause.type === "string") return cause.type;
  }
  return undefined;
}
