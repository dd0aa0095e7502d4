import { expect, test } from "vitest";
import {
  askedOfCreate,
  digestAsked,
  findDifference,
  type PaymentRequest,
} from "../../src/payments/payment-command.ts";
import { testRequest } from "../support/commands.ts";

/** A change of each field of a request, by its name in the proto. */
const CHANGES: Readonly<Record<string, Partial<PaymentRequest>>> = {
  debtor_account_id: { debtorAccountId: "00000000-0000-4000-8000-00000000000c" },
  creditor_account_id: { creditorAccountId: "00000000-0000-4000-8000-00000000000c" },
  "amount.currency_code": { currencyCode: "USD" },
  "amount.amount_minor": { amountMinor: 101n },
  end_to_end_id: { endToEndId: "invoice 1" },
  remittance_information: { remittanceInformation: "rent" },
  metadata: { metadata: { order: "1" } },
  capture_mode: { holdDurationMs: 60_000 },
  retry_policy: { retryPolicy: { maxAttempts: 5, initialBackoffMs: 10, maxBackoffMs: 20 } },
  expire_time: { expireTime: new Date(1_800_000_000_000) },
};

test("The list of changes has every field of a request", () => {
  const changed = Object.values(CHANGES).flatMap((change) => Object.keys(change));
  expect(changed.toSorted()).toEqual(Object.keys(testRequest()).toSorted());
});

test.each(Object.entries(CHANGES))("A request with another %s isn't the same", (field, change) => {
  const request = askedOfCreate(testRequest());
  const other = askedOfCreate(testRequest(change));
  expect(digestAsked(other)).not.toEqual(digestAsked(request));
  expect(findDifference(other, request)).toBe(field);
  expect(findDifference(request, other)).toBe(field);
});

test("Requests to hold for another time differ, and so do requests of different methods", () => {
  const held = askedOfCreate(testRequest({ holdDurationMs: 1_000 }));
  const longer = askedOfCreate(testRequest({ holdDurationMs: 2_000 }));
  expect(findDifference(held, longer)).toBe("hold_duration");
  const cancel = { method: "CancelPayment", payment_id: "p" };
  expect(findDifference(cancel, held)).toBe("method");
  expect(findDifference({ ...cancel, final: "true" }, cancel)).toBe("final");
});

test("The same request has the same digest, whatever the order of its fields and pairs", () => {
  const metadata = { a: "1", b: "2" };
  const request = testRequest({ metadata });
  const turned = Object.fromEntries(
    Object.entries({ ...request, metadata: { b: "2", a: "1" } }).toReversed(),
  ) as unknown as PaymentRequest;
  expect(digestAsked(askedOfCreate(turned))).toEqual(digestAsked(askedOfCreate(request)));
  expect(findDifference(askedOfCreate(turned), askedOfCreate(request))).toBeUndefined();
});

test("Neighbouring texts and pairs don't run into each other", () => {
  const requests: Partial<PaymentRequest>[] = [
    { endToEndId: "ab", remittanceInformation: "c" },
    { endToEndId: "a", remittanceInformation: "bc" },
    { endToEndId: `a","b`, remittanceInformation: "c" },
    { metadata: { a: "b", c: "d" } },
    { metadata: { a: `b"],["c","d` } },
    { endToEndId: "1", amountMinor: 10n },
    { endToEndId: "", amountMinor: 101n },
  ];
  const digests = requests.map((request) =>
    digestAsked(askedOfCreate(testRequest(request))).toString("hex"),
  );
  expect(new Set(digests).size).toBe(requests.length);
});
