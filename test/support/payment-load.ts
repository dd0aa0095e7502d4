import { randomInt, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import { until } from "./relay.ts";

/** What to pay, in euros. */
export interface LoadPayment {
  readonly idempotencyKey: string;
  readonly debtorAccountId: string;
  readonly creditorAccountId: string;
  readonly amountMinor: bigint;
}

/** A way to pay: what its caller is told, or an error. */
export type Pay = (payment: LoadPayment) => Promise<PaymentRow>;

/** Payments that are being made. */
export interface PaymentLoad {
  /** What callers were told. */
  readonly answers: readonly PaymentRow[];
  /** Calls that failed, with their keys. */
  readonly failures: readonly PaymentFailure[];
  /** The longest that a call took, in milliseconds. */
  readonly slowestMs: number;
  /** Resolves when every call has ended. */
  readonly stop: () => Promise<void>;
}

/** A call that failed. */
export interface PaymentFailure {
  readonly idempotencyKey: string;
  readonly error: Error;
}

/** Who pays whom, as in the bench: any account any other, or one account on every payment's side. */
export type Pattern = "uniform" | "hot-debtor" | "hot-creditor";

/** All of them. */
export const PATTERNS: readonly Pattern[] = ["uniform", "hot-debtor", "hot-creditor"];

/** Who pays, and between whom. */
export interface LoadOptions {
  readonly pay: Pay;
  readonly accountIds: readonly string[];
  readonly callers: number;
  /** How long a caller waits before its next call, in milliseconds. Default 0. */
  readonly pauseMs?: number;
  /** Of a call: asked each time. */
  readonly pattern: () => Pattern;
}

const AFTER_FAILURE_MS = 20;

/** Pays in closed loop: each caller sends its next payment when the last one is answered. */
export function startPaymentLoad(options: LoadOptions): PaymentLoad {
  const { pay, accountIds, callers, pauseMs = 0, pattern } = options;
  const answers: PaymentRow[] = [];
  const failures: PaymentFailure[] = [];
  const stopping = new AbortController();
  let slowestMs = 0;

  async function keepPaying(): Promise<void> {
    while (!stopping.signal.aborted) {
      const idempotencyKey = randomUUID();
      const amountMinor = BigInt(randomInt(10, 100));
      const startMs = performance.now();
      try {
        const sides = sidesFor(pattern(), accountIds);
        answers.push(await pay({ idempotencyKey, amountMinor, ...sides }));
        slowestMs = Math.max(slowestMs, performance.now() - startMs);
        if (pauseMs > 0) await sleep(pauseMs);
      } catch (error) {
        failures.push({ idempotencyKey, error: error as Error });
        await sleep(AFTER_FAILURE_MS);
      }
    }
  }

  const done = Promise.all(Array.from({ length: callers }, keepPaying));
  return {
    answers,
    failures,
    get slowestMs() {
      return slowestMs;
    },
    async stop() {
      stopping.abort();
      await done;
    },
  };
}

/** The first account is the hot debtor, the last one the hot creditor. */
function sidesFor(pattern: Pattern, ids: readonly string[]) {
  const last = ids.length - 1;
  const debtor = pattern === "hot-debtor" ? 0 : randomInt(pattern === "uniform" ? last + 1 : last);
  const other = (debtor + 1 + randomInt(last)) % ids.length;
  const creditor = pattern === "hot-creditor" ? last : other;
  return { debtorAccountId: ids[debtor]!, creditorAccountId: ids[creditor]! };
}

/** Payments of every pattern at once. */
export interface MixedLoad extends PaymentLoad {
  /** Resolves when each pattern has so many answers more. */
  readonly untilMore: (answers: number) => Promise<void>;
}

/** Pays by all patterns, each with as many callers. */
export function startMixedLoad(options: Omit<LoadOptions, "pattern">): MixedLoad {
  const loads = PATTERNS.map((pattern) => startPaymentLoad({ ...options, pattern: () => pattern }));
  return {
    get answers() {
      return loads.flatMap(({ answers }) => answers);
    },
    get failures() {
      return loads.flatMap(({ failures }) => failures);
    },
    get slowestMs() {
      return Math.max(...loads.map(({ slowestMs }) => slowestMs));
    },
    async untilMore(answers) {
      const enough = loads.map((load) => load.answers.length + answers);
      await until(
        () => loads.every((load, i) => load.answers.length >= enough[i]!),
        `${answers} payments more of each pattern`,
      );
    },
    async stop() {
      await Promise.all(loads.map((load) => load.stop()));
    },
  };
}
