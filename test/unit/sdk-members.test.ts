import { createRouterTransport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { createInstantPaymentOn, type InstantPayment } from "../../sdk/src/client.ts";
import { createInstantPayment, InstantPaymentError, verifyWebhook } from "../../sdk/src/node.ts";
import { CALLS } from "../support/sdk-calls.ts";
import { failureOf, NEW_PAYMENT } from "../support/sdk-client.ts";

const OPTIONS = { baseUrl: "http://127.0.0.1", apiKey: "k" };
const client = createInstantPaymentOn(() => createRouterTransport(() => {}), OPTIONS);

/** Calls a method with what its types wouldn't take. */
const callOf = (method: string, args: readonly unknown[]): unknown =>
  Reflect.apply(Reflect.get(client, method), client, args);

/** The error of a call that is refused before anything is sent, thrown at once or by a promise. */
async function refusalOf(method: string, args: readonly unknown[]): Promise<InstantPaymentError> {
  const error = await failureOf((async () => await callOf(method, args))());
  expect(error).toMatchObject({ reason: "INVALID_FIELD", attempts: 0, outcomeUnknown: false });
  return error;
}

/** The arguments of each call that a sample makes. */
async function argumentsOf(name: string): Promise<unknown[][]> {
  const calls: unknown[][] = [];
  const answer = {
    pages: () => answer,
    async *[Symbol.asyncIterator]() {
      yield {};
    },
  };
  const recorder = new Proxy(client, {
    get:
      () =>
      (...args: unknown[]) => {
        calls.push(args);
        return answer;
      },
  });
  const call: (client: InstantPayment) => Promise<unknown> = Reflect.get(CALLS, name);
  await call(recorder);
  return calls;
}

/** Copies of a value, in each of which one of its objects has a member that nobody knows. */
function* spoilt(value: unknown, at = ""): Generator<[at: string, value: unknown]> {
  if (typeof value !== "object" || value === null || value instanceof Date) return;
  const isList = Array.isArray(value);
  for (const [key, member] of Object.entries(value)) {
    if (key === "metadata") continue;
    for (const [within, copy] of spoilt(member, isList ? `${at}[${key}]` : `${at}.${key}`)) {
      yield [within, isList ? value.with(Number(key), copy) : { ...value, [key]: copy }];
    }
  }
  if (!isList) yield [at, { ...value, unheard: undefined }];
}

/** The arguments with options, if the sample's call has none. */
function withOptions(name: string, args: readonly unknown[]): readonly unknown[] {
  const isWithout = /^(create|update)/.test(name) || typeof args.at(-1) !== "object";
  return isWithout ? [...args, {}] : args;
}

describe("A member that nobody knows is refused", () => {
  test.each(Object.keys(CALLS))("by %s, wherever it is", async (name) => {
    let count = 0;
    for (const given of await argumentsOf(name)) {
      const args = withOptions(name, given);
      for (const [position, arg] of args.entries()) {
        for (const [at, copy] of spoilt(arg)) {
          const error = await refusalOf(name, args.with(position, copy));
          const path = `${at}.unheard`.replace(/^\./, "").replace(/^\[/, "payments[");
          expect(error.violations.map(({ field }) => field)).toEqual([path]);
          count++;
        }
      }
    }
    expect(count).toBeGreaterThan(0);
  });

  test.each([
    [{}, { timeoutMS: 5 }, "timeoutMS is unknown: did you mean timeoutMs?"],
    [{}, { retries: 0 }, "retries is unknown (known: baseUrl, apiKey, timeoutMs, retry)"],
    [{ maxAttemps: 1 }, {}, "retry.maxAttemps is unknown: did you mean maxAttempts?"],
  ])("by createInstantPayment in %j and %j", (retry, more, message) => {
    const options = { ...OPTIONS, retry, ...more };
    const make = () => Reflect.apply(createInstantPayment, undefined, [options]);
    expect(make).toThrow(message);
  });

  test("by verifyWebhook", async () => {
    const options = JSON.parse('{ "now": 1 }');
    const error = await failureOf(verifyWebhook("{}", {}, "whsec_a", options));
    expect(error.message).toBe("now is unknown: did you mean nowMs?");
  });
});

describe("A misspelt member", () => {
  test.each([
    [{ idempotencykey: "order-1" }, "idempotencykey is unknown: did you mean idempotencyKey?"],
    [{ captureMod: "MANUAL" }, "captureMod is unknown: did you mean captureMode?"],
    [{ validateonly: true }, "validateonly is unknown: did you mean validateOnly?"],
    [{ end_to_end_id: "e" }, "end_to_end_id is unknown: did you mean endToEndId?"],
    [
      { amount: { ...NEW_PAYMENT.amount, amountMinor: 1 } },
      "amount.amountMinor is unknown (known: value, currencyCode)",
    ],
    [{ toString: "x" }, /^toString is unknown \(known: debtorAccountId/],
    [JSON.parse('{ "__proto__": {} }'), /^__proto__ is unknown/],
  ])("of a payment isn't left out: %j", async (more, message) => {
    expect((await refusalOf("createPayment", [{ ...NEW_PAYMENT, ...more }])).message).toMatch(
      message,
    );
  });

  test.each(["capturePayment", "refundPayment"])("of %s doesn't make it all", async (method) => {
    for (const misspelt of ["ammount", "amonut"]) {
      const error = await refusalOf(method, ["p", { [misspelt]: NEW_PAYMENT.amount }]);
      expect(error.message).toBe(`${misspelt} is unknown: did you mean amount?`);
    }
    for (const amount of [null, 0, false, ""]) {
      expect((await refusalOf(method, ["p", { amount }])).violations[0]?.field).toBe("amount");
    }
  });

  test("may be one too many: a payment that was read isn't one to make", async () => {
    const read = { id: "p", ...NEW_PAYMENT, status: "SETTLED" };
    expect((await refusalOf("createPayment", [read])).violations[0]?.field).toBe("id");
  });
});

describe("Half a character, which would be stored as another, is refused", () => {
  const HALF = "a\ud800";
  test.each<[string, unknown[], string]>([
    ["createPayment", [{ ...NEW_PAYMENT, remittanceInformation: HALF }], "remittanceInformation"],
    ["createPayment", [{ ...NEW_PAYMENT, idempotencyKey: "\udc00b" }], "idempotencyKey"],
    ["createPayment", [{ ...NEW_PAYMENT, metadata: { a: HALF } }], "metadata"],
    ["createPayment", [{ ...NEW_PAYMENT, metadata: { [HALF]: "a" } }], "metadata"],
    [
      "batchCreatePayments",
      [[NEW_PAYMENT, { ...NEW_PAYMENT, endToEndId: HALF }]],
      "payments[1].endToEndId",
    ],
    ["refundPayment", ["p", { remittanceInformation: HALF }], "remittanceInformation"],
    ["createAccount", [{ currencyCode: "EUR", ownerId: HALF }], "ownerId"],
    ["updateAccount", ["a", { metadata: { a: HALF } }], "metadata"],
    ["listAccounts", [{ ownerId: HALF }], "ownerId"],
    ["createApiKey", [{ ownerId: "o", scopes: ["admin", HALF] }], "scopes"],
    ["createWebhookEndpoint", [{ url: "https://a", description: HALF }], "description"],
    ["updateWebhookEndpoint", ["w", { description: HALF }], "description"],
  ])("by %s of %j in %s", async (method, args, field) => {
    const error = await refusalOf(method, args);
    expect(error.violations.map((violation) => violation.field)).toEqual([field]);
    expect(error.message).toMatch(/must be Unicode/);
  });

  test("and a whole one isn't", async () => {
    const payment = {
      ...NEW_PAYMENT,
      remittanceInformation: "\u{1f600}é\0",
      metadata: { "\u{1f600}": "é" },
    };
    expect(await failureOf(client.createPayment(payment))).toMatchObject({ attempts: 1 });
  });
});

test("What is known may be undefined, and metadata have any names", async () => {
  const metadata = { idempotencykey: "a", "": "b" };
  const payment = { ...NEW_PAYMENT, metadata, idempotencyKey: undefined, retryPolicy: undefined };
  const options = { signal: undefined, timeoutMs: undefined };
  expect(await failureOf(client.createPayment(payment, options))).toMatchObject({
    reason: "UNIMPLEMENTED",
    attempts: 1,
  });
});

test.each([
  ["capturePayment", ["p", { final: "false" }], 'final must be a boolean, not "false"'],
  [
    "createPayment",
    [{ ...NEW_PAYMENT, validateOnly: 1 }],
    "validateOnly must be a boolean, not a number",
  ],
  [
    "batchCreatePayments",
    [[{ ...NEW_PAYMENT, idempotencyKey: 17 }]],
    "payments[0].idempotencyKey must be a string, not a number",
  ],
  ["batchCreatePayments", [[NEW_PAYMENT], { atomic: "no" }], 'atomic must be a boolean, not "no"'],
  ["updateWebhookEndpoint", ["w", { enabled: 0 }], "enabled must be a boolean, not a number"],
  ["refundPayment", [{ id: "p" }], "paymentId must be a string, not an object"],
])(
  "A flag or text of another type isn't taken for one: %s of %j: %s",
  async (name, args, message) => {
    expect((await refusalOf(name, args)).message).toBe(message);
  },
);

test.each([
  ["createPayment", [null], "payment must be an object, not null"],
  ["createPayment", [NEW_PAYMENT, null], "options must be an object, not null"],
  [
    "createPayment",
    [{ ...NEW_PAYMENT, retryPolicy: null }],
    "retryPolicy must be an object, not null",
  ],
  ["batchCreatePayments", [[NEW_PAYMENT, "p"]], 'payments[1] must be an object, not "p"'],
  ["listPayments", [7], "filter must be an object, not a number"],
  ["cancelPayment", ["p", "k"], 'options must be an object, not "k"'],
  ["updateAccount", ["a", undefined], "change must be an object, not undefined"],
])("%s of %j is refused: %s", async (method, args, message) => {
  expect((await refusalOf(method, args)).message).toBe(message);
});
