import {
  create,
  type DescField,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  isMessage,
  type Message,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { DurationSchema, durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createRouterTransport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { type PaymentEvent, PaymentEventSchema } from "../../gen/instantpayment/v1/payment_pb.ts";
import { createInstantPaymentOn, type InstantPayment } from "../../sdk/src/client.ts";
import { decodePaymentEvent } from "../../sdk/src/event.ts";
import { fromMinorUnits } from "../../sdk/src/money.ts";
import { contractFiles } from "../support/contract.ts";
import { CALLS } from "../support/sdk-calls.ts";
import { ANSWERS, METHODS, REQUESTS } from "../support/sdk-contract.ts";

const tables: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ...REQUESTS,
  ...ANSWERS,
};

const files = await contractFiles();
const services = files.flatMap((file) => file.services);
const messages = files.flatMap((file) => file.messages);
const methods = services.flatMap((service) => service.methods);

/** What isn't free text. */
const TEXTS: Readonly<Record<string, string>> = { currency_code: "EUR", code: "aborted" };

/** A message with every field set to something that isn't its default. */
function sample(desc: DescMessage): Message {
  if (desc.typeName === "google.protobuf.Timestamp") return timestampFromMs(1_700_000_000_123);
  if (desc.typeName === DurationSchema.typeName) return durationFromMs(1_500);
  const message = create(desc);
  const into = reflect(desc, message);
  for (const field of desc.fields) {
    const { number } = field;
    if (field.fieldKind === "map") into.get(field).set("key", field.name);
    else if (field.fieldKind === "list" && field.enum) {
      into.get(field).add(field.enum.values[1]!.number);
    } else if (field.fieldKind === "list" && !field.message) into.get(field).add(field.name);
    else if (field.fieldKind === "list") {
      for (const item of sampleItems(field.message)) {
        into.get(field).add(reflect(field.message, item));
      }
    } else if (field.fieldKind === "enum") into.set(field, field.enum.values[1]!.number);
    else if (field.fieldKind === "message")
      into.set(field, reflect(field.message, sample(field.message)));
    else if (field.scalar === ScalarType.BOOL) into.set(field, true);
    else if (field.scalar === ScalarType.INT64) into.set(field, BigInt(1000 + number));
    else if (field.scalar === ScalarType.INT32) into.set(field, 1000 + number);
    else into.set(field, TEXTS[field.name] ?? field.name);
  }
  // On the wire, an empty token ends a list.
  if ("nextPageToken" in message) message.nextPageToken = "";
  return message;
}

/** One of each kind: a payment of a batch has either a payment or an error. */
function sampleItems(desc: DescMessage): Message[] {
  if (desc.name !== "BatchCreatePaymentsResult") return [sample(desc)];
  const [payment, error] = [sample(desc), sample(desc)];
  return [
    Object.assign(payment, { error: undefined }),
    Object.assign(error, { payment: undefined, replayed: false }),
  ];
}

/** Expects what the SDK returned to show every field of the answer, as the table says. */
function expectShown(desc: DescMessage, message: Message, shown: unknown): void {
  const table = tables[desc.name] ?? {};
  expect(Object.keys(table)).toEqual(desc.fields.map((field) => field.localName));
  const sent = reflect(desc, message);
  for (const field of desc.fields.filter((field) => sent.isSet(field))) {
    const name = table[field.localName]!;
    const there = name === "itself" ? shown : Reflect.get(Object(shown), name);
    expectField(field, Reflect.get(message, field.localName), there);
  }
}

function expectField(field: DescField, sent: unknown, shown: unknown): void {
  const where = String(field);
  if (field.fieldKind === "list" && field.enum) {
    expect(shown, where).toEqual([field.enum.values[1]!.localName]);
  } else if (field.fieldKind === "list" && !field.message) {
    expect(shown, where).toEqual(sent);
  } else if (field.fieldKind === "list") {
    const items: Message[] = Object(sent);
    expect(shown, where).toHaveLength(items.length);
    items.forEach((item, at) => expectShown(field.message, item, Object(shown)[at]));
  } else if (field.message && isMessage(sent)) {
    if (shown instanceof Date) expect(shown.getTime(), where).toBe(1_700_000_000_123);
    else if (isMessage(sent, DurationSchema)) expect(shown, where).toBe(1_500);
    else expectShown(field.message, sent, shown);
  } else if (field.fieldKind === "enum") {
    expect(shown, where).toBe(field.enum.values[1]!.localName);
  } else if (field.name.endsWith("_minor") && typeof sent === "bigint") {
    const value = fromMinorUnits(sent, "EUR");
    const isMoney = typeof shown === "object";
    expect(shown, where).toEqual(isMoney ? { value, currencyCode: "EUR" } : value);
  } else {
    expect(shown, where).toEqual(typeof sent === "bigint" ? Number(sent) : sent);
  }
}

/** A client of a service that answers each RPC with a full answer, and what it received. */
function fullService() {
  const received: Message[] = [];
  const answers = new Map<string, Message>();
  const transport = createRouterTransport(({ rpc }) => {
    for (const method of methods as (DescMethodUnary | DescMethodServerStreaming)[]) {
      const answer = sample(method.output);
      answers.set(method.localName, answer);
      function receive(request: Message): Message {
        received.push(request);
        return answer;
      }
      if (method.methodKind === "unary") rpc(method, receive);
      else
        rpc(method, async function* stream(request) {
          yield receive(request);
        });
    }
  });
  const options = { baseUrl: "http://127.0.0.1", apiKey: "k" };
  return { client: createInstantPaymentOn(() => transport, options), received, answers };
}

describe("The SDK has all of the contract:", () => {
  test("its services, methods and messages", () => {
    const table: Readonly<Record<string, Readonly<Record<string, string>>>> = METHODS;
    const names = services.map((service) => [
      service.name,
      service.methods.map((method) => method.localName),
    ]);
    expect(Object.entries(table).map(([name, row]) => [name, Object.keys(row)])).toEqual(
      expect.arrayContaining(names),
    );
    expect(new Set(Object.keys(tables))).toEqual(new Set(messages.map((message) => message.name)));
    expect(Object.keys(fullService().client.raw)).toHaveLength(services.length);
  });

  test("its event, which decodePaymentEvent reads and nothing else", () => {
    const event = sample(PaymentEventSchema) as PaymentEvent;
    expectShown(PaymentEventSchema, event, decodePaymentEvent(toBinary(PaymentEventSchema, event)));
    for (const body of [new Uint8Array(), Buffer.from("{}"), Buffer.from([10, 200])]) {
      expect(() => decodePaymentEvent(body)).toThrow("body isn't a PaymentEvent");
    }
  });

  test.each(methods.map((method) => [method.localName, method] as const))(
    "%s sends every field of its request and shows every field of its answer",
    async (name, method) => {
      const { client, received, answers } = fullService();
      const call: ((client: InstantPayment) => Promise<unknown>) | undefined = Reflect.get(
        CALLS,
        name,
      );
      const shown = await call?.(client);
      const requests = received
        .filter((message) => message.$typeName === method.input.typeName)
        .map((message) => reflect(method.input, message));
      const unset = method.input.fields.filter(
        (field) => !requests.some((one) => one.isSet(field)),
      );
      expect(unset.map(String)).toEqual([]);
      expect(Object.keys(tables[method.input.name] ?? {})).toEqual(
        method.input.fields.map((field) => field.localName),
      );
      expectShown(method.output, answers.get(name)!, shown);
      expect(JSON.stringify(shown)).toMatch(/^[{[]/);
    },
  );
});
