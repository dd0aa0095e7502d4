import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AccountStatus } from "../../gen/instantpayment/v1/account_service_pb.ts";
import { PaymentStatus } from "../../gen/instantpayment/v1/payment_pb.ts";
import { createInstantPayment } from "../../sdk/src/node.ts";
import {
  type FixtureHandlers,
  type PaymentFixture,
  serviceError,
  startPaymentFixture,
} from "../support/payment-fixture.ts";
import { createHastyClient, failureOf, NEW_PAYMENT } from "../support/sdk-client.ts";

/** Seven entries in pages of `pageSize`; a token is the sequence to go on after. */
const handlers = {
  accounts: {
    getAccount: ({ accountId }) => ({ account: { id: accountId, currencyCode: "JPY" } }),
    updateAccount: ({ overdraftLimitMinor }) => ({
      account: { currencyCode: "JPY", overdraftLimitMinor: overdraftLimitMinor ?? 0n },
    }),
    listEntries: ({ pageSize, pageToken }) => {
      const from = Number(pageToken);
      const to = Math.min(7, from + pageSize);
      const entries = Array.from({ length: to - from }, (_, at) => ({
        sequence: BigInt(from + at + 1),
        amountMinor: -5n,
        balanceAfterMinor: BigInt(-5 * (from + at + 1)),
      }));
      return {
        entries,
        openingBalanceMinor: BigInt(-5 * from),
        closingBalanceMinor: BigInt(-5 * to),
        nextPageToken: to < 7 ? `${to}` : "",
      };
    },
    listAccounts: ({ status }) => ({ accounts: status === AccountStatus.FROZEN ? [] : [{}] }),
  },
} satisfies FixtureHandlers;

let fixture: PaymentFixture;
beforeEach(async () => {
  fixture = await startPaymentFixture(handlers);
});
afterEach(() => fixture.close());

const connect = () => createHastyClient(fixture.baseUrl);
const pagesAsked = () => fixture.received.filter(({ message }) => Object(message).pageSize).length;

async function sequences(list: AsyncIterable<{ readonly sequence: number }>): Promise<number[]> {
  const found: number[] = [];
  for await (const { sequence } of list) found.push(sequence);
  return found;
}

describe("A list", () => {
  test("brings every item of every page, in order, each time it's read", async () => {
    const list = connect().listEntries("a", { pageSize: 3 });
    expect(await sequences(list)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(await sequences(list)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(pagesAsked()).toBe(6);
  });

  test("asks for no page before it's read and none after its reader has left", async () => {
    const list = connect().listEntries("a", { pageSize: 3 });
    expect(fixture.received).toEqual([]);
    for await (const { sequence } of list) if (sequence === 2) break;
    expect(pagesAsked()).toBe(1);
  });

  test("goes page by page, in the account's currency, and on from a token", async () => {
    const pages = [];
    for await (const page of connect().listEntries("a", { pageSize: 4 }).pages()) pages.push(page);
    expect(pages.map(({ items, ...page }) => ({ ...page, items: items.length }))).toEqual([
      { items: 4, openingBalance: "0", closingBalance: "-20", nextPageToken: "4" },
      { items: 3, openingBalance: "-20", closingBalance: "-35", nextPageToken: "" },
    ]);
    expect(pages[0]?.items[0]?.amount).toEqual({ value: "-5", currencyCode: "JPY" });
    const rest = connect().listEntries("a", { pageSize: 4, pageToken: "4" });
    expect(await sequences(rest)).toEqual([5, 6, 7]);
  });

  test("fetches a page again when its answer is lost", async () => {
    fixture.script.push("cut after commit", { status: 502 }, "cut before commit");
    expect(await sequences(connect().listEntries("a", { pageSize: 5 }))).toHaveLength(7);
  });

  test("throws where it's read", async () => {
    fixture.script.push(serviceError(Code.InvalidArgument, "INVALID_PAGE_TOKEN"));
    const error = await failureOf(sequences(connect().listEntries("a", { pageToken: "7" })));
    expect(error.reason).toBe("INVALID_PAGE_TOKEN");
  });

  test("filters by names and refuses others", async () => {
    const client = connect();
    const frozen = [];
    for await (const page of client.listAccounts({ status: "FROZEN" }).pages()) frozen.push(page);
    expect(frozen).toEqual([{ items: [], nextPageToken: "" }]);
    expect(() => client.listAccounts({ status: JSON.parse('"frozen"') })).toThrow(
      /status must be one of OPEN, FROZEN, CLOSED, not "frozen"/,
    );
  });
});

test("An overdraft limit is read in the account's own currency", async () => {
  const client = connect();
  const account = await client.updateAccount("a", { overdraftLimit: "500" });
  expect(account.overdraftLimit).toBe("500");
  const error = await failureOf(client.updateAccount("a", { overdraftLimit: "5.00" }));
  expect(error.message).toBe('overdraftLimit must have no decimals in JPY, not "5.00"');
});

describe("A batch", () => {
  test("keeps its keys over its retries and tells each payment's outcome in order", async () => {
    const asked: string[][] = [];
    const service = await startPaymentFixture({
      payments: {
        batchCreatePayments({ requests }) {
          asked.push(requests.map(({ idempotencyKey }) => idempotencyKey));
          const [first, second] = requests;
          const retryDelay = { seconds: 1n, nanos: 500_000_000 };
          const lost = { code: "unavailable", reason: "UNAVAILABLE", message: "Away.", retryDelay };
          const refused = { code: "not_found", reason: "ACCOUNT_NOT_FOUND", message: "No." };
          const { amount } = first!;
          const payment = { amount, status: PaymentStatus.SETTLED, id: second!.endToEndId };
          return { results: [{ error: lost }, { payment, replayed: true }, { error: refused }] };
        },
      },
    });
    service.script.push("cut after commit");
    const results = await createHastyClient(service.baseUrl).batchCreatePayments([
      NEW_PAYMENT,
      { ...NEW_PAYMENT, endToEndId: "two", idempotencyKey: "order 2" },
      NEW_PAYMENT,
    ]);
    await service.close();
    expect(asked).toHaveLength(2);
    expect(asked[1]).toEqual(asked[0]);
    const [one, , three] = asked[0]!;
    expect(new Set(asked[0]).size).toBe(3);
    expect(results).toMatchObject([
      {
        error: {
          reason: "UNAVAILABLE",
          outcomeUnknown: true,
          retryAfterMs: 1_500,
          idempotencyKey: one,
        },
      },
      { payment: { status: "SETTLED", id: "two", amount: NEW_PAYMENT.amount }, replayed: true },
      { error: { reason: "ACCOUNT_NOT_FOUND", outcomeUnknown: false, idempotencyKey: three } },
    ]);
  });

  test("names the payment whose field is wrong and sends nothing", async () => {
    const wrong = { ...NEW_PAYMENT, amount: { value: "1", currencyCode: "eur" } };
    const error = await failureOf(connect().batchCreatePayments([NEW_PAYMENT, wrong]));
    expect(error.violations[0]?.field).toBe("payments[1].amount.currencyCode");
    expect(fixture.received).toEqual([]);
  });
});

test("A value of a newer service is told as UNRECOGNIZED", async () => {
  const unknown = JSON.parse('{ "status": 77, "reason": 78 }');
  const amount = { currencyCode: "EUR", amountMinor: 1n };
  const newer = await startPaymentFixture({
    payments: { getPayment: () => ({ payment: { amount, ...unknown } }) },
  });
  const payment = await createHastyClient(newer.baseUrl).getPayment("p");
  expect(payment).toMatchObject({ status: "UNRECOGNIZED", reason: "UNRECOGNIZED" });
  await newer.close();
});

test.each([
  { baseUrl: "127.0.0.1:8080" },
  { baseUrl: "ftp://127.0.0.1" },
  { baseUrl: "http://" },
  { apiKey: "" },
  { apiKey: "two\nlines" },
])("The options %j are refused when the client is made", (wrong) => {
  const options = { baseUrl: fixture.baseUrl, apiKey: "k", ...wrong };
  expect(() => createInstantPayment(options)).toThrow(/^(baseUrl|apiKey) must be/);
});
