import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../kernel/clock.ts";
import { type Config, readConfig } from "../config.ts";
import { createEventLog, type EventLog, type LoggedEvent } from "../events/event-log.ts";
import { type Tail, type TailedEvent, tailTopic } from "../events/kafka-tail.ts";
import { decodePaymentEvent } from "../payments/payment.event.ts";
import { createKafka, kafkaErrorCode } from "../platform/kafka.ts";
import { isConnectionError } from "../platform/postgres-errors.ts";
import { StartupError } from "../platform/startup-error.ts";
import { assertMigrated } from "../scheduler/prepare-schema.ts";
import { type Command, messageOf } from "./command.ts";
import { onInterruption } from "./interruption.ts";
import { withDatabase } from "./with-database.ts";

const SHOWN_AT_FIRST = 10;
const LOOK_EVERY_MS = 200;
/** How long a PostgreSQL that was there may be away. */
const AWAY_MS = 30_000;
/** An embedded PostgreSQL that this command has started takes its time to stop. */
const END_MS = { kafka: 1_500, log: 5_000 };

/** Shows what happens to payments. */
export const eventsTail: Command = {
  summary: "Show the latest events of payments and those to come",
  help: [
    "Shows the last ten events, then each one as it comes, until Ctrl-C: from Kafka if KAFKA_BROKERS",
    "is set, otherwise from the log in the database. What isn't an event in the topic is named on",
    "standard error, and so is an outage, after which it goes on where it was.",
    "",
    "'CAPTURED 500 of 2000' is what has been captured of the amount by then, 'REFUNDED 500 of 1500'",
    "what has gone back of what was captured.",
    "",
    "  --limit N   show the last N events and end",
    "  --json      each event on a line, as instantpayment.v1.PaymentEvent in JSON, with the",
    "              traceparent of the call that made the change if it had one",
  ].join("\n"),
  options: { limit: { type: "string" } },
  async run({ json, print, warn, unread, values }) {
    const limit = parseLimit(values["limit"]);
    const config = readConfig({ serving: false });
    const { KAFKA_BROKERS: brokers } = config;
    const source = brokers === undefined ? "log" : "kafka";
    const interruption = onInterruption(END_MS[source]);
    const stop = AbortSignal.any([interruption.signal, unread]);
    const tail: Tail = {
      limit: limit ?? SHOWN_AT_FIRST,
      follow: limit === undefined,
      stop,
      show(event) {
        if (stop.aborted) return;
        const text = describe(event, json);
        if (text === undefined) warn(`${event.place} is no event`);
        else print(text);
      },
      onLatest: () => interruption.succeed(),
      onAway(error) {
        const what = source === "log" ? "the database can't be reached" : "Kafka can't be read";
        warn(`${what} (${messageOf(error)}): trying again`);
      },
    };
    if (brokers === undefined) await tailLog(tail);
    else await tailKafka(config, brokers, tail);
    return interruption.exitCode();
  },
};

async function tailLog(tail: Tail): Promise<void> {
  await withDatabase(async (database) => {
    await assertMigrated(database);
    const log = createEventLog({ database, now: () => systemClock.now() });
    const stopped = new Promise((resolve) => tail.stop.addEventListener("abort", resolve));
    await Promise.race([readLog(log, tail), stopped]);
  });
}

async function readLog(log: EventLog, tail: Tail): Promise<void> {
  const show = (events: readonly LoggedEvent[]) => {
    for (const event of events) tail.show({ ...event, place: `event ${event.id} of the log` });
  };
  show(await whileAway(() => log.latest(tail.limit), tail));
  tail.onLatest();
  while (tail.follow && !tail.stop.aborted) {
    await sleep(LOOK_EVERY_MS);
    show(await whileAway(() => log.fresh(), tail));
  }
}

/** Looks until PostgreSQL answers. Throws StartupError if it's away for too long. */
async function whileAway<T>(look: () => Promise<T>, tail: Tail): Promise<T> {
  let patience: AbortSignal | undefined;
  for (;;) {
    try {
      return await look();
    } catch (cause) {
      const reason = messageOf(cause);
      if (!isConnectionError(cause)) {
        throw new StartupError("unavailable", `the log can't be read: ${reason}`, { cause });
      }
      if (patience?.aborted) {
        throw new StartupError("unavailable", `the database can't be reached: ${reason}`, {
          cause,
        });
      }
      if (patience === undefined) tail.onAway(cause);
      patience ??= AbortSignal.timeout(AWAY_MS);
    }
    await sleep(LOOK_EVERY_MS);
  }
}

async function tailKafka(config: Config, brokers: readonly string[], tail: Tail): Promise<void> {
  const topic = config.KAFKA_TOPIC;
  await tailTopic(createKafka(brokers, config), topic, tail).catch((cause: unknown) => {
    const isMissing = kafkaErrorCode(cause) === "UNKNOWN_TOPIC_OR_PARTITION";
    const reason = isMissing
      ? `Kafka has no topic ${topic}: the relay makes it, or KAFKA_TOPIC names another`
      : `Kafka can't be read: ${messageOf(cause)}`;
    throw new StartupError("unavailable", reason, { cause });
  });
}

function parseLimit(limit: string | boolean | undefined): number | undefined {
  if (limit === undefined) return undefined;
  const number = Number(limit);
  if (Number.isInteger(number) && number >= 1 && number <= 10_000) return number;
  throw new StartupError("usage", `--limit must be 1 to 10000, not '${limit}'`);
}

type DecodedEvent = ReturnType<typeof decodePaymentEvent>["event"];

/** Undefined if it's no event: what others write into the topic, or a tombstone. */
function describe(tailed: TailedEvent, asJson: boolean): string | undefined {
  try {
    return asJson ? toJsonLine(tailed) : toSentence(tailed);
  } catch {
    return undefined;
  }
}

function toJsonLine({ payload, traceparent }: TailedEvent): string {
  const { json } = decodePaymentEvent(payload);
  return JSON.stringify(Object.assign({}, json, traceparent !== null && { traceparent }));
}

function toSentence({ payload }: TailedEvent): string {
  const { event } = decodePaymentEvent(payload);
  const { occurTime, type, payment, reason } = event;
  const { id, currencyCode, debtorAccountId, creditorAccountId } = payment;
  const money = `${amountOf(type, payment)} ${currencyCode} (minor units)`;
  const what = `${type}${reason ? ` ${reason}` : ""} ${money}`;
  return `${occurTime} ${what} ${debtorAccountId} → ${creditorAccountId} payment ${id} #${event.sequence}`;
}

/** The payment's amount; of what is booked in parts how much is by now, and of how much. */
function amountOf(type: string, payment: DecodedEvent["payment"]): string {
  const { amountMinor, capturedMinor, refundedMinor } = payment;
  if (type === "REFUNDED") return `${refundedMinor} of ${capturedMinor}`;
  const isBooked = type === "CAPTURED" || type === "SETTLED";
  if (isBooked && capturedMinor !== amountMinor) return `${capturedMinor} of ${amountMinor}`;
  return String(amountMinor);
}
