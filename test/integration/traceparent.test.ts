// The trace of a call goes with what it changes into the events, whoever shared its transaction.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { CreatePaymentRequestSchema } from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { callAs } from "../support/ledger.ts";
import { CREATE_PAYMENT, paymentRequest } from "../support/payment-requests.ts";
import { callUnary, encode, PROTOCOLS } from "../support/rpc-protocols.ts";
import { startTestApp } from "../support/running-app.ts";
import { run } from "../support/service-process.ts";
import { runSql } from "../support/sql.ts";
import { useLedger } from "../support/use-ledger.ts";

const batchSizes: number[] = [];
const used = useLedger({
  watchCommit: (commit) => (units, onLocked) => {
    batchSizes.push(units.length);
    return commit(units, onLocked);
  },
});

const trace = (n: number) => `00-${n.toString(16).padStart(32, "0")}-00f067aa0ba902b7-01`;

/** Of a payment's events, in order. */
async function traces(paymentId: string): Promise<unknown[]> {
  const text = "select traceparent from payment_event where payment_id = $1 order by sequence";
  return (await runSql(used.url, text, [paymentId])).flat();
}

test("each payment of a shared transaction has its own trace, an atomic batch one for all", async () => {
  const debtor = await used.ledger.open({ overdraftMode: "UNBOUNDED" });
  const creditor = await used.ledger.open();
  const payment = { debtorAccountId: debtor.id, creditorAccountId: creditor.id, amountMinor: 1n };
  const calls = Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? undefined : trace(i)));
  const paid = await Promise.all(
    calls.map((traceparent) => used.ledger.pay(payment, { ...callAs("admin"), traceparent })),
  );
  expect(Math.max(...batchSizes)).toBeGreaterThan(1);
  const found = await Promise.all(paid.map(({ payment: { id } }) => traces(id)));
  expect(found).toEqual(calls.map((traceparent) => [traceparent ?? null]));
  const together = await used.ledger.payTogether(
    [payment, payment].map((one) => ({ ...one, idempotencyKey: randomUUID() })),
    { ...callAs("admin"), traceparent: trace(1_000) },
  );
  for (const one of together) {
    expect(await traces("payment" in one ? one.payment.id : "")).toEqual([trace(1_000)]);
  }
});

test("each change has the trace of its own call, what nobody called for has none", async () => {
  const { id: debtorAccountId } = await used.ledger.openFunded(100n);
  const { id: creditorAccountId } = await used.ledger.open();
  const hold = (traceparent: string) =>
    used.ledger.pay(
      { debtorAccountId, creditorAccountId, amountMinor: 10n, holdDurationMs: 200 },
      { ...callAs("admin"), traceparent },
    );
  const [expiring, captured] = [await hold(trace(1)), await hold(trace(2))];
  const key = { paymentId: captured.payment.id, idempotencyKey: randomUUID() };
  const call = { ...callAs("admin"), traceparent: trace(3) };
  await used.ledger.changePayment.capture(call, { ...key, amount: undefined, final: true });
  expect(await traces(captured.payment.id)).toEqual([trace(2), trace(3)]);
  // Told again, nothing has changed.
  const again = { ...call, traceparent: trace(4) };
  await used.ledger.changePayment.capture(again, { ...key, amount: undefined, final: true });
  expect(await traces(captured.payment.id)).toEqual([trace(2), trace(3)]);
  for (;;) {
    await used.ledger.runAllDue();
    if ((await traces(expiring.payment.id)).length === 2) break;
    await sleep(20);
  }
  expect(await traces(expiring.payment.id)).toEqual([trace(1), null]);
});

test("the header is taken in every protocol, ignored if it's invalid, and shown by events tail", async () => {
  const app = await startTestApp({ DATABASE_URL: used.url, ROLES: "payments" });
  const { id: debtorAccountId } = await used.ledger.open({ overdraftMode: "UNBOUNDED" });
  const { id: creditorAccountId } = await used.ledger.open();
  const sent = [...PROTOCOLS.map((_, i) => trace(i + 1)), "00-bad"];
  for (const [i, traceparent] of sent.entries()) {
    const protocol = PROTOCOLS[i] ?? PROTOCOLS[0]!;
    const sides = { debtorAccountId, creditorAccountId, idempotencyKey: randomUUID() };
    const message = encode(protocol, CreatePaymentRequestSchema, paymentRequest(sides));
    const headers = { authorization: `Bearer ${app.adminKey}`, traceparent };
    const { code } = await callUnary(app.apiUrl, protocol, CREATE_PAYMENT, message, headers);
    expect([protocol.name, code]).toEqual([protocol.name, "ok"]);
  }
  await app.stop();
  const args = ["events", "tail", "--json", "--limit", String(sent.length)];
  const command = [process.execPath, "src/cli/instant-payment.ts", ...args] as const;
  const tail = await run([...command], { DATABASE_URL: used.url }).ended;
  const shown = tail.stdout.trim().split("\n");
  const events = shown.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(events.map(({ traceparent }) => traceparent)).toEqual([...sent.slice(0, -1), undefined]);
  expect(events[0]).toMatchObject({ sequence: 1, type: "PAYMENT_EVENT_TYPE_SETTLED" });
});
