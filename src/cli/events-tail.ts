import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../kernel/clock.ts";
import { createEventLog } from "../events/event-log.ts";
import { decodePaymentEvent } from "../payments/payment.event.ts";
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
    "Shows the last ten events, then each one as it's committed, until Ctrl-C.",
    "",
    "  --limit N   show the last N events and end",
    "  --json      each event on a line, as instantpayment.v1.PaymentEvent in JSON",
  ].join("\n"),
  options: { limit: { type: "string" } },
  async run({ json, print, values }) {
    const limit = parseLimit(values["limit"]);
    const show = (payload: Uint8Array) => print(describe(decodePaymentEvent(payload), json));
    await withDatabase(async (database) => {
      await assertMigrated(database);
      const log = createEventLog({ orm: database.orm, now: () => systemClock.now() });
      const stopped = stopSignal();
      for (const row of await log.latest(limit ?? SHOWN_AT_FIRST)) show(row.payload);
      if (limit !== undefined) return;
      while (!stopped.aborted) {
        await sleep(LOOK_EVERY_MS, undefined, { signal: stopped }).catch(() => {});
        for (const row of await log.fresh()) show(row.payload);
      }
    });
    return 0;
  },
};

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

function describe({ event, json }: ReturnType<typeof decodePaymentEvent>, asJson: boolean): string {
  if (asJson) return json;
  const { occurTime, type, payment, reason } = event;
  const { id, amountMinor, currencyCode, debtorAccountId, creditorAccountId } = payment;
  const what = `${type}${reason ? ` ${reason}` : ""} ${amountMinor} ${currencyCode} (minor units)`;
  return `${occurTime} ${what} ${debtorAccountId} → ${creditorAccountId} payment ${id} #${event.sequence}`;
}
