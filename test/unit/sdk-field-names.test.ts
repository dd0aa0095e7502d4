import { expect, test } from "vitest";
import { sdkFieldOf } from "../../sdk/src/field-names.ts";
import { createPaymentRequest } from "../../sdk/src/payment-request.ts";
import { contractFiles } from "../support/contract.ts";
import { NEW_PAYMENT } from "../support/sdk-client.ts";
import { PAYMENT_ANSWERS } from "../support/sdk-payment-contract.ts";
import { REQUESTS } from "../support/sdk-contract.ts";

const tables: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ...REQUESTS,
  Money: PAYMENT_ANSWERS.Money,
};
const messages = (await contractFiles()).flatMap((file) => file.messages);

test.each(Object.keys(tables))("Each field of %s has the SDK's name in errors", (name) => {
  const message = messages.find((message) => message.name === name)!;
  for (const field of message.fields) {
    const itself = field.localName === "requests" ? "payments" : field.localName;
    const known = tables[name]![field.localName]!;
    expect(sdkFieldOf(field.name)).toBe(known === "itself" ? itself : known);
  }
});

test.each([
  ["requests[3].amount.amount_minor", "payments[3].amount.value"],
  ["requests[0].retry_policy.max_backoff", "payments[0].retryPolicy.maxBackoffMs"],
  ['metadata["a_b"]', 'metadata["a_b"]'],
  ['requests[1].metadata["max_backoff[\\"x_y"]', 'payments[1].metadata["max_backoff[\\"x_y"]'],
  ['metadata["cut_off…', 'metadata["cut_off…'],
  ["scopes[0]", "scopes[0]"],
  ["", ""],
])("The path %s is %s", (path, named) => {
  expect(sdkFieldOf(path)).toBe(named);
});

test("What can't be encoded is named as well, inside a batch too", () => {
  const payment = { ...NEW_PAYMENT, retryPolicy: { maxAttempts: 1.5 } };
  expect(() => createPaymentRequest(payment)).toThrow(
    "retryPolicy.maxAttempts can't be sent: invalid int32: 1.5",
  );
  expect(() => createPaymentRequest(payment, "payments[2]", "payments[2].")).toThrow(
    /^payments\[2\]\.retryPolicy\.maxAttempts /,
  );
});
