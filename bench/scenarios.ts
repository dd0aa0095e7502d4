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
  /**
   * Who pays whom: any of 10,000 accounts, or one account on every payment's one side; or both, each
   * by half of the callers, of which only those are counted that pay any account.
   */
  readonly pattern: "uniform" | "hot-debtor" | "hot-creditor" | "beside-hot";
  /** Connections, each with one call at a time. */
  readonly callers: number;
  /** Payments of a BatchCreatePayments call; 0: CreatePayment. */
  readonly batch: number;
  /** 0: as many as the callers can. */
  readonly callsPerSecond: number;
  /** Instances of the service, each of which gets its part of the connections. */
  readonly processes: 1 | 2 | 3;
  /** They queue for hot accounts in a Redis on the same machine. */
  readonly redis: boolean;
  /** A process beside them that publishes every payment to a Kafka on the same machine. */
  readonly relay: boolean;
  /** Streams of WatchPayment and WatchAccount that are open meanwhile, on the first instance. */
  readonly watchers: number;
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
  return [
    ...peers,
    ...single,
    ...batches,
    ...two,
    service({ relay: true }),
    service({ watchers: 5_000 }),
    ...hot(),
  ];
}

/** One to three processes on a hot account with Redis and without, as far as it's new. */
function hot(): Scenario[] {
  const pattern = "hot-creditor";
  return [
    service({ pattern, processes: 3 }),
    service({ pattern: "beside-hot", processes: 3 }),
    ...([1, 2, 3] as const).map((processes) => service({ pattern, processes, redis: true })),
    service({ pattern: "beside-hot", processes: 3, redis: true }),
  ];
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
export function service(differs: Partial<ServiceScenario>): ServiceScenario {
  const scenario = {
    kind: "service",
    protocol: "json",
    pattern: "uniform",
    callers: 64,
    batch: 0,
    callsPerSecond: 0,
    processes: 1,
    redis: false,
    relay: false,
    watchers: 0,
    database: "empty",
    ...differs,
  } as const;
  const { protocol, pattern, callers, batch, processes, redis, relay, watchers, database } =
    scenario;
  const name = [
    protocol,
    ...(batch > 0 ? [`batch-of-${batch}`] : []),
    pattern,
    callers,
    ...(processes > 1 ? [processes === 2 ? "two-processes" : "three-processes"] : []),
    ...(redis ? ["redis"] : []),
    ...(relay ? ["relay"] : []),
    ...(watchers > 0 ? [`${watchers}-watchers`] : []),
    ...(database === "filled" ? ["filled"] : []),
  ].join("-");
  return { ...scenario, name };
}
