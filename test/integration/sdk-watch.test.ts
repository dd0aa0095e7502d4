// The SDK's streams from the service itself, over connections that break.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createInstantPayment, type InstantPayment, type Payment } from "../../sdk/src/node.ts";
import { startTestApp, type TestApp } from "../support/running-app.ts";
import { failureOf } from "../support/sdk-client.ts";
import { openTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";

let app: TestApp;
let proxy: TcpProxy;
let isAway = false;
let client: InstantPayment;
/** Through the proxy. */
let watcher: InstantPayment;
let bank: string;
let shop: string;

beforeAll(async () => {
  app = await startTestApp();
  proxy = await openTcpProxy(app.apiUrl, {
    admits: () => !isAway,
    relay({ client, upstream }) {
      client.pipe(upstream).pipe(client);
    },
  });
  const apiKey = app.adminKey;
  client = createInstantPayment({ baseUrl: app.apiUrl, apiKey });
  const retry = { initialBackoffMs: 5, maxBackoffMs: 50 };
  watcher = createInstantPayment({ baseUrl: proxy.url, apiKey, retry });
  bank = (await client.createAccount({ currencyCode: "EUR", overdraftMode: "UNBOUNDED" })).id;
  shop = (await client.createAccount({ currencyCode: "EUR" })).id;
});
afterAll(async () => {
  await proxy.close();
  await app.stop();
});

const euros = (value: string) => ({ value, currencyCode: "EUR" });

const hold = (): Promise<Payment> =>
  client.createPayment({
    debtorAccountId: bank,
    creditorAccountId: shop,
    amount: euros("10.00"),
    captureMode: "MANUAL",
  });

test("a payment is told once and in order over broken connections, and ends by itself", async () => {
  const { id } = await hold();
  const heard: string[] = [];
  for await (const { type, sequence, payment } of watcher.watchPayment(id)) {
    heard.push(`${type} ${sequence} ${payment.captured} ${payment.refunded}`);
    if (sequence < 4) {
      await client.capturePayment(id, { amount: euros("1.00"), final: sequence === 3 });
      if (sequence % 2 === 1) proxy.cutAll();
    } else if (sequence < 6) await client.refundPayment(id, { amount: euros("1.50") });
    if (sequence === 4) proxy.cutAll();
  }
  expect(heard).toEqual([
    "HELD 1 0.00 0.00",
    "CAPTURED 2 1.00 0.00",
    "CAPTURED 3 2.00 0.00",
    "SETTLED 4 3.00 0.00",
    "REFUNDED 5 3.00 1.50",
    "REFUNDED 6 3.00 3.00",
  ]);
  const after = [];
  for await (const { sequence } of watcher.watchPayment(id, { afterSequence: 4 })) {
    after.push(sequence);
  }
  expect(after).toEqual([5, 6]);
});

test("an account's entries are told once and in order, from the balance that came first", async () => {
  const till = await client.createAccount({ currencyCode: "EUR" });
  const accounts = { debtorAccountId: bank, creditorAccountId: till.id };
  const pay = () => client.createPayment({ ...accounts, amount: euros("0.01") });
  const heard: (number | undefined)[] = [];
  for await (const { entry, balance } of watcher.watchAccount(till.id)) {
    heard.push(entry?.sequence);
    expect(balance.entrySequence).toBeGreaterThanOrEqual(entry?.sequence ?? 0);
    expect(entry?.amount ?? euros("0.01")).toEqual(euros("0.01"));
    if (heard.length === 6) break;
    // What comes while it isn't connected is told when it is, and what was told isn't again.
    isAway = true;
    proxy.cutAll();
    await pay();
    if (heard.length === 2) await pay();
    setTimeout(() => (isAway = false), 30);
  }
  expect(heard).toEqual([undefined, 1, 2, 3, 4, 5]);
  await sleep(20);
  const all = [];
  for await (const { entry } of watcher.watchAccount(till.id, { afterSequence: 0 })) {
    all.push(entry?.sequence);
    if (all.length === 5) break;
  }
  expect(all).toEqual([1, 2, 3, 4, 5]);
});

async function firstOf<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}

test("what can't be watched is thrown at once; who is out of reach, when the time is up", async () => {
  const unknown = await failureOf(firstOf(watcher.watchPayment(bank)));
  expect(unknown).toMatchObject({ reason: "PAYMENT_NOT_FOUND", attempts: 1 });
  expect(() => watcher.watchAccount(bank, { afterSequence: 0.5 })).toThrow("afterSequence");
  const tooFar = await failureOf(firstOf(watcher.watchAccount(bank, { afterSequence: 999 })));
  expect(tooFar.violations[0]?.field).toBe("afterSequence");
  isAway = true;
  const away = await failureOf(firstOf(watcher.watchAccount(bank, { timeoutMs: 300 })));
  isAway = false;
  expect(away).toMatchObject({ code: "unavailable", outcomeUnknown: false });
  expect(away.attempts).toBeGreaterThan(1);
});

test("a loop that is busy for longer than the time-out goes on, though its connection broke meanwhile", async () => {
  const till = await client.createAccount({ currencyCode: "EUR" });
  const payment = { debtorAccountId: bank, creditorAccountId: till.id, amount: euros("1.00") };
  const beBusy = () => {
    proxy.cutAll();
    return sleep(1_000);
  };
  const hold = await client.createPayment({ ...payment, captureMode: "MANUAL" });
  const types = [];
  for await (const { type } of watcher.watchPayment(hold.id, { timeoutMs: 500 })) {
    types.push(type);
    await beBusy();
    if (type === "HELD") await client.capturePayment(hold.id);
    if (type === "SETTLED") await client.refundPayment(hold.id);
  }
  expect(types).toEqual(["HELD", "SETTLED", "REFUNDED"]);
  const entries = [];
  for await (const { entry } of watcher.watchAccount(till.id, { timeoutMs: 500 })) {
    entries.push(entry?.sequence);
    if (entries.length === 3) break;
    await client.createPayment(payment);
    await beBusy();
  }
  expect(entries).toEqual([undefined, 3, 4]);
});

test("a signal ends a watch, whether it's connected or not", async () => {
  const { id } = await hold();
  const leaving = new AbortController();
  const stream = watcher.watchPayment(id, { signal: leaving.signal })[Symbol.asyncIterator]();
  expect((await stream.next()).value).toMatchObject({ type: "HELD" });
  const next = stream.next();
  leaving.abort();
  expect((await failureOf(next)).reason).toBe("CANCELLED");
  const never = firstOf(watcher.watchPayment(id, { signal: AbortSignal.abort() }));
  expect((await failureOf(never)).reason).toBe("CANCELLED");
});
