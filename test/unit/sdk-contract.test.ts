import { globSync } from "node:fs";
import { pathToFileURL } from "node:url";
import {
  create,
  type DescField,
  type DescMessage,
  type DescMethodUnary,
  isMessage,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import type { GenFile } from "@bufbuild/protobuf/codegenv2";
import { reflect } from "@bufbuild/protobuf/reflect";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createRouterTransport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { createInstantPaymentOn, type InstantPayment } from "../../sdk/src/client.ts";
import { fromMinorUnits } from "../../sdk/src/money.ts";
import type * as sdk from "../../sdk/src/node.ts";
import { ANSWERS, GENERATED_ONLY, METHODS, REQUESTS } from "../support/sdk-contract.ts";

const tables: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ...REQUESTS,
  ...ANSWERS,
};

/** Everything that the generated files of the contract describe, used or not. */
const isFile = (value: unknown): value is GenFile =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === "file";
const modules = await Promise.all(
  globSync("gen/instantpayment/v1/*_pb.ts").map(
    (path): Promise<object> => import(pathToFileURL(path).href),
  ),
);
const files = modules.flatMap((module) => Object.values(module).filter((value) => isFile(value)));
const services = files.flatMap((file) => file.services);
const messages = files.flatMap((file) => file.messages);
const methods = services.flatMap((service) => service.methods);

/** A message with every field set to something that isn't its default. */
function sample(desc: DescMessage): Message {
  if (desc.typeName === "google.protobuf.Timestamp") return timestampFromMs(1_700_000_000_123);
  const message = create(desc);
  const into = reflect(desc, message);
  for (const field of desc.fields) {
    const { number } = field;
    if (field.fieldKind === "map") into.get(field).set("key", field.name);
    else if (field.fieldKind === "list")
      into.get(field).add(reflect(field.message!, sample(field.message!)));
    else if (field.fieldKind === "enum") into.set(field, field.enum.values[1]!.number);
    else if (field.fieldKind === "message")
      into.set(field, reflect(field.message, sample(field.message)));
    else if (field.scalar === ScalarType.BOOL) into.set(field, true);
    else if (field.scalar === ScalarType.INT64) into.set(field, BigInt(1000 + number));
    else if (field.scalar === ScalarType.INT32) into.set(field, 1000 + number);
    else into.set(field, field.name === "currency_code" ? "EUR" : field.name);
  }
  // On the wire, an empty token ends a list.
  if ("nextPageToken" in message) message.nextPageToken = "";
  return message;
}

/** Expects what the SDK returned to show every field of the answer, as the table says. */
function expectShown(desc: DescMessage, message: Message, shown: unknown): void {
  const table = tables[desc.name] ?? {};
  expect(Object.keys(table)).toEqual(desc.fields.map((field) => field.localName));
  for (const field of desc.fields) {
    const name = table[field.localName]!;
    const there = name === "itself" ? shown : Reflect.get(Object(shown), name);
    expectField(field, Reflect.get(message, field.localName), there);
  }
}

function expectField(field: DescField, sent: unknown, shown: unknown): void {
  const where = String(field);
  if (field.fieldKind === "list") {
    expect(shown, where).toHaveLength(1);
    expectShown(field.message!, Object(sent)[0], Object(shown)[0]);
  } else if (field.message && isMessage(sent)) {
    if (shown instanceof Date) expect(shown.getTime(), where).toBe(1_700_000_000_123);
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

/** A call of each method with all that it takes. */
const calls = {
  createPayment: (client) =>
    client.createPayment({
      idempotencyKey: "k",
      debtorAccountId: "d",
      creditorAccountId: "c",
      amount: { value: "12.50", currencyCode: "EUR" },
      endToEndId: "e",
      remittanceInformation: "r",
      metadata: { a: "b" },
      expireTime: new Date(1_000),
      validateOnly: true,
    } satisfies Required<sdk.NewPayment>),
  batchCreatePayments: (client) =>
    client.batchCreatePayments(
      [
        {
          debtorAccountId: "d",
          creditorAccountId: "c",
          amount: { value: "12.50", currencyCode: "EUR" },
        },
      ],
      { atomic: true },
    ),
  getPayment: (client) => client.getPayment("p"),
  listPayments: (client) =>
    firstPage(
      client.listPayments({
        accountId: "a",
        status: "SETTLED",
        startTime: new Date(1_000),
        endTime: new Date(2_000),
        pageSize: 7,
        pageToken: "t",
      }),
    ),
  createAccount: (client) =>
    client.createAccount({
      accountId: "a",
      ownerId: "o",
      currencyCode: "EUR",
      overdraftMode: "LIMITED",
      overdraftLimit: "5.00",
      metadata: { a: "b" },
    } satisfies Required<sdk.NewAccount>),
  getAccount: (client) => client.getAccount("a"),
  listAccounts: (client) =>
    firstPage(client.listAccounts({ ownerId: "o", status: "OPEN", pageSize: 7, pageToken: "t" })),
  updateAccount: async (client) => {
    await client.updateAccount("a", { metadata: {} });
    return client.updateAccount("a", {
      version: 3,
      status: "FROZEN",
      overdraftMode: "LIMITED",
      overdraftLimit: "5.00",
      metadata: { a: "b" },
    } satisfies Required<sdk.AccountChange>);
  },
  getBalance: (client) => client.getBalance("a", { readTime: new Date(1_000) }),
  listEntries: (client) =>
    firstPage(
      client.listEntries("a", {
        afterSequence: 3,
        startTime: new Date(1_000),
        endTime: new Date(2_000),
        pageSize: 7,
        pageToken: "t",
      }),
    ),
  verifyLedger: (client) => client.verifyLedger(),
} satisfies Record<string, (client: InstantPayment) => Promise<unknown>>;

async function firstPage<P>(list: { pages(): AsyncIterable<P> }): Promise<P> {
  for await (const page of list.pages()) return page;
  return expect.unreachable("a list has at least one page");
}

/** A client of a service that answers each RPC with a full answer, and what it received. */
function fullService() {
  const received: Message[] = [];
  const answers = new Map<string, Message>();
  const transport = createRouterTransport(({ rpc }) => {
    for (const method of methods as DescMethodUnary[]) {
      const answer = sample(method.output);
      answers.set(method.localName, answer);
      rpc(method, (request) => {
        received.push(request);
        return answer;
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
    expect(new Set([...Object.keys(tables), ...GENERATED_ONLY])).toEqual(
      new Set(messages.map((message) => message.name)),
    );
    expect(Object.keys(fullService().client.raw)).toHaveLength(services.length);
  });

  test.each(methods.map((method) => [method.localName, method] as const))(
    "%s sends every field of its request and shows every field of its answer",
    async (name, method) => {
      const { client, received, answers } = fullService();
      const call: ((client: InstantPayment) => Promise<unknown>) | undefined = Reflect.get(
        calls,
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
      expect(JSON.stringify(shown)).toMatch(/^[[{]/);
    },
  );
});
