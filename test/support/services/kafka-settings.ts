import { securedSettings, type SecuredListener } from "./kafka-secured.ts";

/** Where one broker listens and keeps its data. */
export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
  readonly controllerPort: number;
  /** Absent: the image's own. */
  readonly logDirs?: string;
  /** Beside the plain one. */
  readonly secured?: SecuredListener | undefined;
}

/** Settings of one node for tests, broker and controller (KRaft), reached at 127.0.0.1. */
export function brokerSettings(address: BrokerAddress): Readonly<Record<string, string>> {
  const { host, port, controllerPort, logDirs, secured } = address;
  const securedAt = secured ? `SECURED://127.0.0.1:${secured.port},` : "";
  return {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
    listeners: `${securedAt}PLAINTEXT://${host}:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    "advertised.listeners": `${securedAt}PLAINTEXT://127.0.0.1:${port}`,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL",
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    ...(logDirs === undefined ? {} : { "log.dirs": logDirs }),
    ...(secured && securedSettings(secured)),
    // One broker: every internal topic has one replica.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "num.partitions": "1",
    // As in production: a misspelt topic is an error.
    "auto.create.topics.enable": "false",
    // No waiting for consumers that don't come, few threads, small buffers, a quick end.
    "group.initial.rebalance.delay.ms": "0",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "num.replica.fetchers": "1",
    "log.cleaner.dedupe.buffer.size": "2097152",
    "log.cleaner.io.buffer.size": "65536",
    "log.index.size.max.bytes": "1048576",
    "log.segment.bytes": "16777216",
    "controlled.shutdown.enable": "false",
    // A broker that was killed can register again at once, not after 9 s.
    "broker.session.timeout.ms": "1000",
    "broker.heartbeat.interval.ms": "250",
  };
}
