/** The hand-written SQL that our service is compared with. */
export interface PgbenchScenario {
  readonly kind: "pgbench";
  readonly name: string;
  readonly script: "transfer" | "transfer_fn" | "transfer_hot_last";
  readonly clients: number | "best";
}

/** Our service under load. */
export interface ServiceScenario {
  readonly kind: "service";
  readonly name: string;
  /** JSON is Connect over HTTP/1.1, gRPC in cleartext HTTP/2. */
  readonly protocol: "json" | "grpc";
  /** Who pays whom: any of 10,000 accounts, or one account on every payment's one side. */
  readonly pattern: "uniform" | "hot-debtor" | "hot-creditor";
  /** Connections, each with one call at a time. */
  readonly callers: number;
  /** Payments of a BatchCreatePayments call; 0: CreatePayment. */
  readonly batch: number;
  /** Instances of the service, each of which gets its part of the connections. */
  readonly processes: 1 | 2;
  /** A process beside them that publishes every payment to a Kafka on the same machine. */
  readonly relay: boolean;
  readonly database: "empty" | "filled";
}

/** One thing that is measured in every round. */
export type Scenario = PgbenchScenario | ServiceScenario;

const PATTERNS = ["uniform", "hot-debtor", "hot-creditor"] as const;

/** All that one round measures; those of one and of two processes stand together. */
export function roundScenarios(): Scenario[] {
  const peers = [
    pgbench("transfer", 1),
    ...(["transfer", "transfer_fn", "transfer_hot_last"] as const).flatMap((script) => [
      pgbench(script, "best"),
      pgbench(script, 64),
    ]),
  ];
  const single = [1, 8, 64].flatMap((callers) =>
    PATTERNS.flatMap((pattern) => [
      service({ protocol: "json", pattern, callers }),
      service({ protocol: "grpc", pattern, callers }),
    ]),
  );
  const batches = (["json", "grpc"] as const).map((protocol) =>
    service({ protocol, callers: 8, batch: 100 }),
  );
  const two = PATTERNS.map((pattern) => service({ pattern, processes: 2 }));
  return [...peers, ...single, ...batches, ...two, service({ relay: true })];
}

/** What is measured to see what full tables cost. */
export function rowsScenarios(): Scenario[] {
  return (["empty", "filled"] as const).flatMap((database) =>
    PATTERNS.map((pattern) => service({ pattern, database })),
  );
}

function pgbench(
  script: PgbenchScenario["script"],
  clients: PgbenchScenario["clients"],
): PgbenchScenario {
  return { kind: "pgbench", name: `pgbench-${script}-${clients}`, script, clients };
}

/** With 64 callers over JSON, one process and small tables unless it is told otherwise. */
function service(differs: Partial<ServiceScenario>): ServiceScenario {
  const scenario = {
    kind: "service",
    protocol: "json",
    pattern: "uniform",
    callers: 64,
    batch: 0,
    processes: 1,
    relay: false,
    database: "empty",
    ...differs,
  } as const;
  const { protocol, pattern, callers, batch, processes, relay, database } = scenario;
  const name = [
    protocol,
    ...(batch > 0 ? [`batch-of-${batch}`] : []),
    pattern,
    callers,
    ...(processes > 1 ? ["two-processes"] : []),
    ...(relay ? ["relay"] : []),
    ...(database === "filled" ? ["filled"] : []),
  ].join("-");
  return { ...scenario, name };
}
