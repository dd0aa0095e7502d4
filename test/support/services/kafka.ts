import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import { hasDocker, startContainer } from "./container-service.ts";
import { type BrokerAddress, brokerSettings } from "./kafka-settings.ts";
import { scramArguments, type SecuredListener } from "./kafka-secured.ts";
import { run, startProcess } from "./process-service.ts";
import { freePort } from "../../../src/platform/listen.ts";
import { cached, externalService, findProgram } from "./service.ts";
import type { Service, ServiceOptions } from "./service.ts";

/** A Kafka to test with: one broker that makes no topic by itself. */
export interface KafkaService extends Service {
  /** `127.0.0.1:PORT` */
  readonly brokers: string[];
}

/** How a Kafka is to be had. */
export interface KafkaOptions extends ServiceOptions {
  /** A listener beside the plain one; not to be had by Docker. */
  readonly secured?: SecuredListener;
  /** Settings instead of those of tests, for where it listens. */
  readonly settings?: (address: BrokerAddress) => Readonly<Record<string, string>>;
}

const TIMEOUT_MS = 60_000;
/** 16 bytes in base64url; any will do. */
const CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk";

/**
 * A real Kafka: KAFKA_BROKERS, the one on PATH, Docker, or else the broker's jars by Maven (43 MB,
 * needs Java 17). Throws, in one line, if none of them is to be had.
 */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaService> {
  const given = process.env["KAFKA_BROKERS"];
  if (given && !options.own) {
    return { ...externalService("KAFKA_BROKERS"), brokers: given.split(",") };
  }
  const port = await freePort();
  const brokers = [`127.0.0.1:${port}`];
  const settingsAt = (address: BrokerAddress) => ({
    ...brokerSettings(address),
    ...options.settings?.(address),
  });
  const common = { name: "kafka", probe: () => askForBrokers(brokers), timeoutMs: TIMEOUT_MS };
  const onPath = programsOnPath();
  const { secured } = options;
  if (!onPath && !secured && (await hasDocker())) {
    const settings = settingsAt({ host: "0.0.0.0", port, controllerPort: port + 1 });
    const environment = Object.fromEntries(
      Object.entries(settings).map(([name, value]) => [
        `KAFKA_${name.toUpperCase().replaceAll(".", "_")}`,
        value,
      ]),
    );
    const image = "apache/kafka:4.1.1";
    return { ...(await startContainer({ ...common, image, port, environment })), brokers };
  }
  const programs = onPath ?? (await programsOfMaven());
  const controllerPort = await freePort();
  const service = await startProcess({
    ...common,
    source: programs.source,
    async prepare(folder) {
      const logDirs = join(folder, "data");
      const settings = settingsAt({ host: "127.0.0.1", port, controllerPort, logDirs, secured });
      const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
      const file = join(folder, "server.properties");
      writeFileSync(file, lines.join(""));
      const [program = "", ...args] = programs.format;
      const logins = secured ? scramArguments(secured) : [];
      await run(program, ...args, "format", "-t", CLUSTER_ID, "-c", file, ...logins);
    },
    command: (folder) => [...programs.serve, join(folder, "server.properties")],
  });
  return { ...service, brokers };
}

interface Programs {
  readonly source: string;
  readonly format: readonly string[];
  readonly serve: readonly string[];
}

function programsOnPath(): Programs | undefined {
  const format = findProgram("kafka-storage.sh", "kafka-storage");
  const serve = findProgram("kafka-server-start.sh", "kafka-server-start");
  return format && serve ? { source: serve, format: [format], serve: [serve] } : undefined;
}

async function programsOfMaven(): Promise<Programs> {
  const java = findProgram("java");
  const maven = findProgram("mvn");
  if (!java || !maven) {
    throw new Error("Kafka is missing: install it, or Docker, or Java 17 and Maven");
  }
  const pom = join(import.meta.dirname, "kafka-pom.xml");
  const version = /<kafka.version>(.*)</.exec(readFileSync(pom, "utf8"))?.[1] ?? "";
  const jars = await cached(`kafka-${version}`, async (into) => {
    const options = ["-B", "-ntp", "-q", "-DincludeScope=runtime", `-DoutputDirectory=${into}`];
    await run(maven, ...options, "-f", pom, "dependency:copy-dependencies");
  });
  const logging = join(import.meta.dirname, "kafka-log4j2.yaml");
  const log = `-Dlog4j2.configurationFile=${logging}`;
  const memory = ["-Xmx256m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
  const command = [java, ...memory, log, "-Djava.awt.headless=true", "-cp", join(jars, "*")];
  return {
    source: `Apache Kafka ${version} from Maven`,
    format: [...command, "kafka.tools.StorageTool"],
    serve: [...command, "kafka.Kafka"],
  };
}

/** Throws unless the broker has joined its cluster. */
async function askForBrokers(brokers: string[]): Promise<void> {
  const kafka = new Kafka({
    brokers,
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1_000,
    requestTimeout: 2_000,
    retry: { retries: 0 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    const cluster = await admin.describeCluster();
    if (cluster.brokers.length === 0) throw new Error("Kafka has no broker yet");
  } finally {
    await admin.disconnect();
  }
}
