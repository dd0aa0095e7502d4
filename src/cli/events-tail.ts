import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../kernel/clock.ts";
import { type Config, readConfig } from "../config.ts";
import { createEventLog } from "../events/event-log.ts";
import { type TailedEvent, type TailOptions, tailTopic } from "../events/kafka-tail.ts";
import { decodePaymentEvent } from "../payments/payment.event.ts";
import { createKafka, kafkaErrorCode } from "../platform/kafka.ts";
import { StartupError } from "../platform/startup-error.ts";
import { assertMigrated } from "../scheduler/prepare-schema.ts";
import type { Command } from "./command.ts";
import { withDatabase } from "./with-database.ts";

const SHOWN_AT_FIRST = 10;
const LOOK_EVERY_MS = 200;

/** Shows what happens to payments. */
export const eventsTail: Command = {
  summary: "Show the latest events of payments and those to come",
  help: [
    "Shows the last ten events, then each one as it comes, until Ctrl-C: from Kafka if KAFKA_BROKERS",
    "is set, otherwise from the log in the database.",
    "",
    "  --limit N   show the last N events and end",
    "  --json      each event on a line, as instantpayment.v1.PaymentEvent in JSON, with the",
    "              traceparent of the call that made the change if it had one",
  ].join("\n"),
  options: { limit: { type: "string" } },
  async run({ json, print, values }) {
    const limit = parseLimit(values["limit"]);
    const show: Show = (event) => print(describe(event, json));
    const config = readConfig({ serving: false });
    const { KAFKA_BROKERS: brokers } = config;
    if (brokers === undefined) await tailLog(limit, show);
    else await tailKafka(config, brokers, limit, show);
    return 0;
  },
};

type Show = TailOptions["show"];

async function tailLog(limit: number | undefined, show: Show): Promise<void> {
  await withDatabase(async (database) => {
    await assertMigrated(database);
    const log = createEventLog({ orm: database.orm, now: () => systemClock.now() });
    const stopped = stopSignal();
    for (const row of await log.latest(limit ?? SHOWN_AT_FIRST)) show(row);
    if (limit !== undefined) return;
    while (!stopped.aborted) {
      await sleep(LOOK_EVERY_MS, undefined, { signal: stopped }).catch(() => {});
      for (const row of await log.fresh()) show(row);
    }
  });
}

async function tailKafka(
  config: Config,
  brokers: readonly string[],
  limit: number | undefined,
  show: Show,
): Promise<void> {
  const topic = config.KAFKA_TOPIC;
  const until = limit === undefined ? { until: stopSignal() } : {};
  const tail = { topic, limit: limit ?? SHOWN_AT_FIRST, show, ...until };
  await tailTopic(createKafka(brokers, config), tail).catch((cause: unknown) => {
    const isMissing = kafkaErrorCode(cause) === "UNKNOWN_TOPIC_OR_PARTITION";
    const reason = isMissing
      ? `Kafka has no topic ${topic}: the relay makes it, or KAFKA_TOPIC names another`
      : `Kafka can't be read: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new StartupError("unavailable", reason, { cause });
  });
}

function parseLimit(limit: string | boolean | undefined): number | undefined {
  if (limit === undefined) return undefined;
  const number = Number(limit);
  if (Number.isInteger(number) && number >= 1 && number <= 10_000) return number;
  throw new StartupError("usage", `--limit must be 1 to 10000, not '${limit}'`);
}

function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());
  return stop.signal;
}

function describe({ payload, traceparent }: TailedEvent, asJson: boolean): string {
  const { event, json } = decodePaymentEvent(payload);
  if (asJson)
    return JSON.stringify(Object.assign({}, json, traceparent !== null && { traceparent }));
  const { occurTime, type, payment, reason } = event;
  const { id, amountMinor, currencyCode, debtorAccountId, creditorAccountId } = payment;
  const what = `${type}${reason ? ` ${reason}` : ""} ${amountMinor} ${currencyCode} (minor units)`;
  return `${occurTime} ${what} ${debtorAccountId} → ${creditorAccountId} payment ${id} #${event.sequence}`;
}
