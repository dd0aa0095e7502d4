import {
  type Setting,
  type SettingValues,
  anyText,
  brokers,
  oneOf,
  pairConflictsIn,
  readableFile,
  topicName,
  wholeNumber,
} from "./setting-parsers.ts";

/** The settings that say how Kafka is reached and what the relay makes there. */
export const KAFKA_SETTINGS = {
  KAFKA_BROKERS: {
    description:
      "Addresses of Kafka's brokers, separated by commas, the same for all instances. Unset: events " +
      "stay in the database, or go to webhooks by themselves.",
    parse: brokers,
  },
  KAFKA_TOPIC: {
    description:
      "Topic of the events, the same for all instances; the relay makes it if there is none.",
    default: "payment-status",
    parse: topicName,
  },
  KAFKA_TOPIC_PARTITIONS: {
    description:
      "Partitions of the topic that the relay makes, 64 at most. Add none later: a payment's events " +
      "would be in two, and in no order. Make another topic instead.",
    default: "16",
    parse: wholeNumber(1, 64),
  },
  KAFKA_TOPIC_REPLICAS: {
    description: "Replicas of the topic that the relay makes. Unset: the brokers' default.",
    parse: wholeNumber(1, 100),
  },
  KAFKA_TOPIC_RETENTION_HOURS: {
    description: "How long the topic that the relay makes keeps an event.",
    default: "168",
    parse: wholeNumber(1, 1_000_000),
  },
  KAFKA_TLS: {
    description: "on: connections to Kafka use TLS.",
    default: "off",
    parse: oneOf("off", "on"),
  },
  KAFKA_TLS_CA_FILE: {
    description: "PEM file of the authority that signed the brokers' certificates. Unset: Node's.",
    parse: readableFile,
  },
  KAFKA_TLS_CERT_FILE: {
    description: "PEM file of this client's certificate, if the brokers ask for one.",
    parse: readableFile,
  },
  KAFKA_TLS_KEY_FILE: {
    description: "PEM file of that certificate's private key.",
    parse: readableFile,
  },
  KAFKA_SASL_MECHANISM: {
    description:
      "How to log in to Kafka: plain, scram-sha-256 or scram-sha-512. Unset: not at all.",
    parse: oneOf("plain", "scram-sha-256", "scram-sha-512"),
  },
  KAFKA_SASL_USERNAME: {
    description: "Whom to log in to Kafka as.",
    parse: anyText,
    secret: true,
  },
  KAFKA_SASL_PASSWORD: {
    description: "Password of KAFKA_SASL_USERNAME.",
    parse: anyText,
    secret: true,
  },
} satisfies Record<string, Setting<unknown>>;

/** Their values, by their names. */
export type KafkaSettings = SettingValues<typeof KAFKA_SETTINGS>;

/** What is wrong of these only in combination, a line for each. */
export function kafkaConflictsIn(config: KafkaSettings): string[] {
  const errors: string[] = [];
  const login = [config.KAFKA_SASL_USERNAME, config.KAFKA_SASL_PASSWORD];
  const isLogin = config.KAFKA_SASL_MECHANISM !== undefined;
  if (login.some((part) => (part !== undefined) !== isLogin)) {
    errors.push(
      "KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD must be set together",
    );
  }
  errors.push(...pairConflictsIn(config, "KAFKA_TLS_CERT_FILE", "KAFKA_TLS_KEY_FILE"));
  const files = [config.KAFKA_TLS_CERT_FILE, config.KAFKA_TLS_KEY_FILE, config.KAFKA_TLS_CA_FILE];
  const isTlsFile = files.some((file) => file !== undefined);
  if (isTlsFile && config.KAFKA_TLS === "off") {
    errors.push("KAFKA_TLS must be on for KAFKA_TLS_CA_FILE and KAFKA_TLS_CERT_FILE to count");
  }
  return errors;
}
