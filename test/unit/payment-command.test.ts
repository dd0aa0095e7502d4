import { expect, test } from "vitest";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import {
  digestRequest,
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
  expire_time: { expireTime: new Date(1_800_000_000_000) },
};

test("The list of changes has every field of a request", () => {
  const changed = Object.values(CHANGES).flatMap((change) => Object.keys(change));
  expect(changed.toSorted()).toEqual(Object.keys(testRequest()).toSorted());
});

test.each(Object.entries(CHANGES))("A request with another %s isn't the same", (field, change) => {
  const request = testRequest();
  const other = testRequest(change);
  expect(digestRequest(other)).not.toEqual(digestRequest(request));
  expect(findDifference(other, request as PaymentRow)).toBe(field);
  expect(findDifference(request, other as PaymentRow)).toBe(field);
});

test("The same request has the same digest, whatever the order of its fields and pairs", () => {
  const metadata = { a: "1", b: "2" };
  const request = testRequest({ metadata });
  const turned = Object.fromEntries(
    Object.entries({ ...request, metadata: { b: "2", a: "1" } }).toReversed(),
  ) as unknown as PaymentRequest;
  expect(digestRequest(turned)).toEqual(digestRequest(request));
  expect(findDifference(turned, request as PaymentRow)).toBeUndefined();
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
  const digests = requests.map((request) => digestRequest(testRequest(request)).toString("hex"));
  expect(new Set(digests).size).toBe(requests.length);
});
