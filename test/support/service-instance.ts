import { setTimeout as sleep } from "node:timers/promises";
import type { Committed } from "../../src/ledger/group-commit.ts";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import type { TestPayment } from "./ledger.ts";
import { CREATE_PAYMENT } from "./payment-requests.ts";
import { groupLives, run } from "./service-process.ts";

/** A process of the service on a database that others use too. */
export interface ServiceInstance {
  /** Pays by Connect JSON. Throws an error whose `reason` is that of the answer, or `NETWORK`. */
  readonly pay: (payment: TestPayment) => Promise<Committed>;
  /** Pays all, each by itself, in one call. Throws as `pay` if one of them is still open. */
  readonly payBatch: (payments: readonly TestPayment[]) => Promise<Committed[]>;
  readonly apiUrl: string;
  readonly adminUrl: string;
  /** To its process. */
  readonly signal: (signal: NodeJS.Signals) => void;
  /** `kill -9`, and waits until it's gone. */
  readonly kill: () => Promise<void>;
  /** SIGTERM, and waits until it has ended by itself; its exit code. */
  readonly stop: () => Promise<number | null>;
}

/** The administrator's key of every instance. */
export const INSTANCE_KEY = "an-administrators-key-that-tests-use";

/**
 * Starts `node src/main.ts` on free ports of the loopback, with further settings if given, and waits
 * until it does its work.
 */
export async function startInstance(
  databaseUrl: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<ServiceInstance> {
  const adminKey = INSTANCE_KEY;
  const service = run([process.execPath, "src/main.ts", "--json"], {
    DATABASE_URL: databaseUrl,
    ADMIN_API_KEY: adminKey,
    PORT: "0",
    ADMIN_PORT: "0",
    LOG_LEVEL: "warn",
    ...settings,
  });
  const urls = JSON.parse(await service.printed("\n")) as { apiUrl?: string; adminUrl: string };
  const { apiUrl = "", adminUrl } = urls;
  const headers = { "content-type": "application/json", authorization: `Bearer ${adminKey}` };
  const call = (path: string, request: unknown) =>
    exchange(`${apiUrl}${path}`, { method: "POST", headers, body: JSON.stringify(request) });
  return {
    apiUrl,
    adminUrl,
    signal: service.signal,
    pay: async (payment) => toCommitted(await call(CREATE_PAYMENT, toJson(payment))),
    async payBatch(payments) {
      const answer = await call(BATCH_CREATE_PAYMENTS, { requests: payments.map(toJson) });
      const { results } = answer as { results: readonly BatchResultJson[] };
      const failed = results.find(({ error }) => error)?.error;
      if (failed) throw Object.assign(new Error(failed.message), failed);
      return results.map(toCommitted);
    },
    async kill() {
      if (groupLives(service.pid)) service.killHard();
      await service.ended;
    },
    async stop() {
      service.signal("SIGTERM");
      return (await service.ended).code;
    },
  };
}

/**
 * As a caller does who must know: sends the same payment, through each instance of the list in
 * turn, until the answer isn't that it should be sent again. At most for a minute. An instance that
 * takes another's place in the list is used from then on.
 */
export async function payUntilTold(
  instances: readonly ServiceInstance[],
  payment: TestPayment,
  first = 0,
): Promise<Committed> {
  return untilTold(instances, (instance) => instance.pay(payment), first);
}

/** As `payUntilTold`, for any call that may be sent again. */
export async function untilTold<T>(
  instances: readonly ServiceInstance[],
  call: (instance: ServiceInstance) => Promise<T>,
  first = 0,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call(instances[(first + attempt) % instances.length]!);
    } catch (error) {
      const isOpen = ["NETWORK", "UNAVAILABLE"].includes((error as { reason: string }).reason);
      if (!isOpen || attempt === 1_200) throw error;
      await sleep(50);
    }
  }
}

const BATCH_CREATE_PAYMENTS = "/instantpayment.v1.PaymentService/BatchCreatePayments";

interface BatchResultJson {
  readonly error?: { readonly reason: string; readonly message: string };
}

/** The service answers within five seconds; what takes longer has lost its connection. */
const NO_ANSWER_MS = 30_000;

async function exchange(url: string, request: RequestInit): Promise<unknown> {
  const { ok, text } = await answerOf(url, request);
  if (ok) return JSON.parse(text);
  const reason = /"reason":\s*"([A-Z_]+)"/.exec(text)?.[1] ?? text;
  throw Object.assign(new Error(text), { reason });
}

async function answerOf(url: string, request: RequestInit): Promise<{ ok: boolean; text: string }> {
  const signal = AbortSignal.timeout(NO_ANSWER_MS);
  try {
    const response = await fetch(url, { ...request, signal });
    return { ok: response.ok, text: await response.text() };
  } catch (cause) {
    if (signal.aborted) console.warn(`no answer from ${url} in ${NO_ANSWER_MS} ms`);
    throw Object.assign(new Error("network", { cause }), NETWORK);
  }
}

const NETWORK = { reason: "NETWORK" };

function toJson({ idempotencyKey, currencyCode = "EUR", amountMinor, ...rest }: TestPayment) {
  return {
    idempotencyKey,
    debtorAccountId: rest.debtorAccountId,
    creditorAccountId: rest.creditorAccountId,
    amount: { currencyCode, amountMinor: String(amountMinor) },
  };
}

interface PaymentJson {
  readonly id: string;
  readonly debtorAccountId: string;
  readonly creditorAccountId: string;
  readonly amount: { readonly amountMinor: string };
  readonly status: string;
  readonly reason: string;
  readonly sequence: number;
  readonly debtorBalanceAfterMinor?: string;
  readonly creditorBalanceAfterMinor?: string;
}

/** Of an answer's JSON the parts of a payment that the tests compare with what is stored. */
export function toCommitted(json: unknown): Committed {
  const { payment, replayed } = json as { payment: PaymentJson; replayed: boolean };
  const reason = payment.reason.replace("PAYMENT_REASON_", "");
  const balance = (minor: string | undefined) => (minor === undefined ? null : BigInt(minor));
  const row = {
    ...payment,
    amountMinor: BigInt(payment.amount.amountMinor),
    status: payment.status.replace("PAYMENT_STATUS_", ""),
    reason: reason === "UNSPECIFIED" ? null : reason,
    debtorBalanceAfterMinor: balance(payment.debtorBalanceAfterMinor),
    creditorBalanceAfterMinor: balance(payment.creditorBalanceAfterMinor),
  };
  // The administrator's, who sees both sides.
  return { payment: row as unknown as PaymentRow, asDebtor: true, asCreditor: true, replayed };
}
