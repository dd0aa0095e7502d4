// Where a stream of WatchPayment or WatchAccount begins.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AccountService } from "../../gen/instantpayment/v1/account_service_pb.ts";
import { PaymentService } from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { clientOf } from "../support/keys.ts";
import { runSql } from "../support/sql.ts";
import {
  byKey,
  euros,
  expectSoon,
  MANUAL,
  openWatchWorld,
  statementOf,
  storyOf,
  type WatchWorld,
} from "../support/watch-world.ts";
import { listen } from "../support/watching.ts";

let world: WatchWorld;
let shop: string;
beforeAll(async () => {
  world = await openWatchWorld();
  shop = await world.open("shop");
});
afterAll(() => world.close());

describe("With a sequence", () => {
  const watchPayment = (paymentId: string, afterSequence?: number) => {
    const client = clientOf(PaymentService, world.apps[1].apiUrl, world.apps[1].adminKey);
    return listen((options) => client.watchPayment({ paymentId, afterSequence }, options));
  };
  const watchAccount = (accountId: string, afterSequence?: bigint) => {
    const client = clientOf(AccountService, world.apps[1].apiUrl, world.apps[1].adminKey);
    return listen((options) => client.watchAccount({ accountId, afterSequence }, options));
  };

  test("every event above it comes, and of one that is over nothing but the end", async () => {
    const { id: paymentId } = await world.pay(world.bank, shop, 100n, MANUAL);
    await world.payments.capturePayment({ paymentId, ...byKey() });
    await world.payments.refundPayment({ paymentId, ...byKey() });
    const stories = [0, 1, 2, 3, undefined].map((after) => watchPayment(paymentId, after));
    for (const each of stories) await each.ended;
    const whole = ["HELD 1", "SETTLED 2", "REFUNDED 3"];
    expect(stories.map(storyOf)).toEqual([
      whole,
      whole.slice(1),
      whole.slice(2),
      [],
      whole.slice(2),
    ]);
    await expect(watchPayment(paymentId, 4).ended).rejects.toThrow(
      "[invalid_argument] after_sequence: is above the payment's, 3",
    );
    await expect(watchPayment(paymentId, -1).ended).rejects.toThrow("[invalid_argument]");
  });

  test("a payment whose events are gone is told as it is, once", async () => {
    const { id: paymentId } = await world.pay(world.bank, shop, 100n, MANUAL);
    await world.payments.capturePayment({ paymentId, ...byKey(), amount: euros(1n), final: false });
    const events = await runSql(
      world.databaseUrl,
      `with gone as (delete from payment_event where payment_id = '${paymentId}' returning *)
        select json_agg(gone) from gone`,
    );
    const [early, late] = [watchPayment(paymentId, 0), watchPayment(paymentId)];
    for (const each of [early, late]) {
      await expectSoon(() => storyOf(each), ["UNSPECIFIED 2"]);
    }
    await world.payments.cancelPayment({ paymentId, ...byKey() });
    for (const each of [early, late]) {
      await expectSoon(() => storyOf(each), ["UNSPECIFIED 2", "SETTLED 3"]);
      each.leave();
    }
    // The invariants want them back.
    const [[rows]] = events as [[unknown]];
    await runSql(
      world.databaseUrl,
      `insert into payment_event select * from json_populate_recordset(null::payment_event,
        $json$${JSON.stringify(rows)}$json$)`,
    );
  });

  test("an account's entries come without a gap, from the first with 0, however many", async () => {
    const accountId = await world.open("alice");
    const request = {
      debtorAccountId: world.bank,
      creditorAccountId: accountId,
      amount: euros(1n),
    };
    const requests = Array.from({ length: 600 }, () => ({ ...byKey(), ...request }));
    const early = watchAccount(accountId, 0n);
    await expectSoon(() => statementOf(early), ["0 held 0"]);
    await world.payments.batchCreatePayments({ requests });
    const [all, rest] = [watchAccount(accountId, 0n), watchAccount(accountId, 590n)];
    for (const [heard, from] of [
      [early, 1],
      [all, 1],
      [rest, 591],
    ] as const) {
      const expected = Array.from({ length: 601 - from }, (_, i) => BigInt(from + i));
      const sequences = () =>
        heard.messages.flatMap(({ entry }) => (entry ? [entry.sequence] : []));
      await expectSoon(sequences, expected);
      expect(heard.messages.at(-1)?.balance?.postedMinor).toBe(600n);
    }
    const none = watchAccount(accountId, 600n);
    await expectSoon(() => statementOf(none), ["600 held 0"]);
    await expect(watchAccount(accountId, 601n).ended).rejects.toThrow(
      "[invalid_argument] after_sequence: is above the account's, 600",
    );
    for (const each of [early, all, rest, none]) each.leave();
  });
});
