// WatchPayment and WatchAccount on two instances of the service.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AccountService } from "../../gen/instantpayment/v1/account_service_pb.ts";
import { ApiKeyService } from "../../gen/instantpayment/v1/api_key_service_pb.ts";
import { PaymentStatus } from "../../gen/instantpayment/v1/payment_pb.ts";
import {
  PaymentService,
  type WatchPaymentResponse,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { clientOf, makeKey } from "../support/keys.ts";
import {
  byKey,
  euros,
  eventsOf,
  expectSoon,
  MANUAL,
  openWatchWorld,
  statementOf,
  storyOf,
  type WatchWorld,
} from "../support/watch-world.ts";
import { listen, STREAM_CLIENTS, type Heard } from "../support/watching.ts";

let world: WatchWorld;
let alice: string;
let bob: string;
let aliceKey: string;
let bobKey: string;
beforeAll(async () => {
  world = await openWatchWorld();
  [alice, bob] = [await world.open("alice"), await world.open("bob")];
  aliceKey = (await makeKey(world.apps[0], "alice")).secret;
  bobKey = (await makeKey(world.apps[0], "bob")).secret;
});
afterAll(() => world.close());

describe.each(Object.entries(STREAM_CLIENTS))("Over %s", (_, clientFor) => {
  test("a payment is told from its present state to its end, on every instance", async () => {
    const { id: paymentId } = await world.pay(world.bank, bob, 100n, MANUAL);
    const watchers = world.apps.map((app) => {
      const client = clientFor(PaymentService, app.apiUrl, app.adminKey);
      return listen((options) => client.watchPayment({ paymentId }, options));
    });
    for (const each of watchers) await expectSoon(() => storyOf(each), ["HELD 1"]);
    await world.payments.capturePayment({
      paymentId,
      ...byKey(),
      amount: euros(30n),
      final: false,
    });
    await world.payments.capturePayment({ paymentId, ...byKey() });
    await world.payments.refundPayment({ paymentId, ...byKey(), amount: euros(1n) });
    await world.payments.refundPayment({ paymentId, ...byKey() });
    const whole = ["HELD 1", "CAPTURED 2", "SETTLED 3", "REFUNDED 4", "REFUNDED 5"];
    for (const each of watchers) {
      // Nothing can come any more.
      await each.ended;
      expect(storyOf(each)).toEqual(whole);
      expect(eventsOf(each).at(-1)?.payment).toMatchObject({ id: paymentId, refundedMinor: 100n });
    }
  });

  test("an account's balance and each change of it is told, on every instance", async () => {
    const accountId = await world.open("alice");
    await world.pay(world.bank, accountId, 500n);
    const watchers = world.apps.map((app) => {
      const client = clientFor(AccountService, app.apiUrl, aliceKey);
      return listen((options) => client.watchAccount({ accountId }, options));
    });
    for (const each of watchers) {
      await expectSoon(() => statementOf(each), ["500 held 0"]);
    }
    const hold = await world.pay(accountId, bob, 200n, MANUAL);
    for (const each of watchers) {
      await expectSoon(() => statementOf(each).at(-1), "500 held 200");
    }
    await world.payments.capturePayment({ paymentId: hold.id, ...byKey() });
    for (const each of watchers) {
      await expectSoon(() => statementOf(each).at(-1), "#2 -200 → 300 held 0");
      each.leave();
      await expect(each.ended).rejects.toThrow("[canceled]");
    }
  });
});

describe("The two sides of a payment", () => {
  test("each hear what is theirs; the creditor from HELD or SETTLED on", async () => {
    const policy = { retryPolicy: { maxAttempts: 3, initialBackoff: { seconds: 600n, nanos: 0 } } };
    const { id: paymentId } = await world.pay(alice, bob, 40n, {
      ...policy,
      metadata: { order: "42" },
    });
    const [mine, theirs] = [aliceKey, bobKey].map((key, i) => {
      const client = clientOf(PaymentService, world.apps[i]!.apiUrl, key);
      return () => listen((options) => client.watchPayment({ paymentId }, options));
    }) as [() => Heard<WatchPaymentResponse>, () => Heard<WatchPaymentResponse>];
    const asAlice = mine();
    await expectSoon(() => storyOf(asAlice), ["PENDING 1"]);
    await expect(theirs().ended).rejects.toThrow("[not_found]");
    await world.pay(world.bank, alice, 40n);
    await world.payments.retryPayment({ paymentId, ...byKey() });
    await expectSoon(() => storyOf(asAlice), ["PENDING 1", "SETTLED 2"]);
    const clientOfBob = clientOf(PaymentService, world.apps[1].apiUrl, bobKey);
    const asBob = listen((options) =>
      clientOfBob.watchPayment({ paymentId, afterSequence: 0 }, options),
    );
    await expectSoon(() => storyOf(asBob), ["SETTLED 2"]);
    const [seen, hidden] = [eventsOf(asAlice).at(-1)!, eventsOf(asBob)[0]!];
    expect(seen).toMatchObject({
      previousStatus: PaymentStatus.PENDING,
      creditorEntrySequence: 0n,
    });
    expect(seen.debtorEntrySequence).toBeGreaterThan(0n);
    expect(seen.payment).toMatchObject({ metadata: { order: "42" }, debtorBalanceAfterMinor: 0n });
    expect(seen.payment?.attempts).toHaveLength(2);
    expect(seen.payment?.creditorBalanceAfterMinor).toBeUndefined();
    expect(hidden).toMatchObject({ previousStatus: 0, debtorEntrySequence: 0n });
    expect(hidden.creditorEntrySequence).toBeGreaterThan(0n);
    const payment = { idempotencyKey: "", metadata: {}, attempts: [] };
    expect(hidden.payment).toMatchObject(payment);
    expect(hidden.payment?.debtorBalanceAfterMinor).toBeUndefined();
    expect(hidden.payment?.creditorBalanceAfterMinor).toBeGreaterThan(0n);
    asAlice.leave();
    asBob.leave();
  });

  test("are told no more when their key is revoked", async () => {
    const { id: apiKeyId, secret } = await makeKey(world.apps[0], "alice");
    const client = clientOf(AccountService, world.apps[1].apiUrl, secret);
    const heard = listen((options) => client.watchAccount({ accountId: alice }, options));
    await expectSoon(() => heard.messages.length, 1);
    await clientOf(ApiKeyService, world.apps[0].apiUrl, world.apps[0].adminKey).revokeApiKey({
      apiKeyId,
    });
    const revokedMs = performance.now();
    await expect(heard.ended).rejects.toThrow("[unauthenticated]");
    expect(performance.now() - revokedMs).toBeLessThan(6_000);
  });
});
