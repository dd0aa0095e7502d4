// npm run bench:events: how fast a relay publishes a backlog, what the log takes on disk, and how
// long an event takes to a consumer while payments are made at a steady rate.
import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Kafka, logLevel } from "kafkajs";
import { Client } from "pg";
import { startKafka } from "../test/support/services/kafka.ts";
import { startCpuMeter } from "./cpu.ts";
import { fundAccounts, OWNER } from "./fill.ts";
import { runLoad } from "./load.ts";
import { startPostgres } from "./postgres.ts";
import { type EventRelay, startRelayOf } from "./relay.ts";
import { service } from "./scenarios.ts";
import { makeOwnerKey, migrateDatabase, startService } from "./service.ts";
import { buildLoadgen, findTools } from "./tools.ts";

const DATABASE = "events";
const TOPIC = "payment-status";
const WARM_MS = 3_000;

const { values } = parseArgs({
  options: {
    backlog: { type: "string", default: "100000" },
    rate: { type: "string", default: "1000" },
    seconds: { type: "string", default: "20" },
  },
});
const options = {
  backlog: Number(values.backlog),
  rate: Number(values.rate),
  windowMs: Number(values.seconds) * 1_000,
};

const { signal } = new AbortController();
const tools = await findTools();
const loadgen = await buildLoadgen(tools.go);
await using resources = new AsyncDisposableStack();
const postgres = await startPostgres();
resources.defer(() => postgres.stop());
await postgres.recreate(DATABASE);
const databaseUrl = postgres.url(DATABASE);
await migrateDatabase({ databaseUrl, signal });
await fundAccounts(databaseUrl);
const payments = await startService(databaseUrl, randomBytes(24).toString("hex"));
resources.defer(() => payments.stop());
const target = {
  services: [payments],
  apiKey: await makeOwnerKey(OWNER, { databaseUrl, signal }),
};
const deps = { loadgen, postmaster: postgres.postmaster, signal };

const paid = await makeBacklog();
const size = await gigabytesPerMillion();
await postgres.checkpoint();
const kafka = await startKafka({ own: true });
const relay = await startRelayOf(databaseUrl, kafka);
resources.defer(() => relay.stop());
const stopMeter = startCpuMeter({
  load: payments.pid,
  services: [relay.pid],
  postmaster: postgres.postmaster,
});
const startMs = performance.now();
await untilDrained(kafka.brokers, paid);
const seconds = (performance.now() - startMs) / 1_000;
const cpu = stopMeter();
const micros = (used: number) => Math.round((used / paid) * 1e6);
print(`backlog of ${paid}: ${seconds.toFixed(1)} s, ${Math.round(paid / seconds)} events/s`);
print(
  `CPU for an event: relay ${micros(cpu.service)} µs, PostgreSQL ${micros(cpu.postgres)} µs; ` +
    `Kafka and others ${micros(cpu.others)} µs`,
);
print(`log: ${size.log} GB for a million events, ${size.waiting} GB more while they wait`);
const lags = await measureLags(relay);
const [p50, p99] = [percentile(lags, 0.5), percentile(lags, 0.99)];
print(
  `lag to a consumer at ${options.rate} payments/s, ${lags.length} events: p50 ${p50} ms, p99 ${p99} ms`,
);

/** Pays in batches until there are events enough that nobody has published; how many there are. */
async function makeBacklog(): Promise<number> {
  const batches = service({ batch: 100, callers: 8 });
  for (;;) {
    const [count] = await query("select count(*) from unpublished_event");
    if (Number(count) >= options.backlog) return Number(count);
    await runLoad(deps, batches, target, { warmMs: 0, windowMs: 1_000 });
  }
}

/** Asks Kafka, and PostgreSQL only at the end: looking for what is left would slow the relay down. */
async function untilDrained(brokers: string[], events: number): Promise<void> {
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  for (let kept = 0; kept < events; await sleep(100)) {
    // A topic that is being made has no leaders yet.
    const offsets = await admin.fetchTopicOffsets(TOPIC).catch(() => []);
    kept = offsets.reduce((sum, { high }) => sum + Number(high), 0);
  }
  await admin.disconnect();
  const text = "select exists (select from unpublished_event)";
  while ((await query(text))[0] === true) await sleep(50);
}

/** With the indexes, while all wait that aren't from before the first payment. */
async function gigabytesPerMillion(): Promise<{ log: string; waiting: string }> {
  const [log, events, queue, waiting] = await query(
    `select sum(pg_total_relation_size(inhrelid)), (select count(*) from payment_event),
       pg_total_relation_size('unpublished_event'), (select count(*) from unpublished_event)
     from pg_inherits where inhparent = 'payment_event'::regclass`,
  );
  const gigabytes = (bytes: unknown, rows: unknown) =>
    ((Number(bytes) / Number(rows)) * 1e-3).toFixed(2);
  return { log: gigabytes(log, events), waiting: gigabytes(queue, waiting) };
}

/** From the moment when each change was booked to the one when a consumer has it, in ms. */
async function measureLags({ brokers }: EventRelay): Promise<number[]> {
  const client = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const consumer = client.consumer({ groupId: randomUUID(), maxWaitTimeInMs: 100 });
  const measured: { atMs: number; lagMs: number }[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic: TOPIC, fromBeginning: false });
  await consumer.run({
    eachBatch: async ({ batch }) => {
      const atMs = Date.now();
      for (const { timestamp } of batch.messages) {
        measured.push({ atMs, lagMs: atMs - Number(timestamp) });
      }
    },
  });
  // The group has to find its place, and Node to compile what runs often.
  const load = service({ callsPerSecond: options.rate });
  await runLoad(deps, load, target, { warmMs: 0, windowMs: WARM_MS });
  const fromMs = Date.now();
  await runLoad(deps, load, target, { warmMs: 0, windowMs: options.windowMs });
  await relay.untilPublished();
  await consumer.disconnect();
  return measured.filter(({ atMs }) => atMs >= fromMs).map(({ lagMs }) => lagMs);
}

function percentile(of: readonly number[], part: number): number {
  const sorted = of.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * part) - 1] ?? Number.NaN;
}

/** The values of the first row. */
async function query(text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query<unknown[]>({ text, rowMode: "array" })).rows[0] ?? [];
  } finally {
    await client.end();
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
