import { randomUUID } from "node:crypto";
import {
  create,
  fromBinary,
  fromJsonString,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { Client } from "pg";
import { expect } from "vitest";
import {
  AccountService,
  AccountStatus,
  OverdraftMode,
} from "../../gen/instantpayment/v1/account_service_pb.ts";
import { PaymentStatus } from "../../gen/instantpayment/v1/payment_pb.ts";
import { PaymentService } from "../../gen/instantpayment/v1/payment_service_pb.ts";
import type { Environment } from "../../src/config.ts";
import { openCuttingProxy, type CuttingProxy } from "./cutting-proxy.ts";
import { expectInvariants } from "./invariants.ts";
import { createMigratedDatabase } from "./ledger.ts";
import { ACCOUNTS, paymentRequest, type PaymentChanges } from "./payment-requests.ts";
import { callUnary, encode, type Outcome, type Protocol } from "./rpc-protocols.ts";
import { startTestApp } from "./running-app.ts";

/** The service with accounts to pay from and to, and calls to it in every protocol. */
export interface PaymentDesk {
  readonly url: string;
  readonly adminUrl: string;
  readonly port: number;
  /** What a caller sends as `Authorization`. */
  readonly authorization: string;
  readonly databaseUrl: string;
  /** The service's way to PostgreSQL. */
  readonly proxy: CuttingProxy;
  /** Sends bytes that are a message already, or are none, with the key unless told otherwise. */
  send(
    protocol: Protocol,
    path: string,
    message: Uint8Array,
    headers?: Readonly<Record<string, string>>,
    flags?: number,
  ): Promise<Outcome>;
  call<I extends DescMessage, O extends DescMessage>(
    protocol: Protocol,
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Outcome>;
  /** CreatePayment with the request of `paymentRequest`. */
  pay(
    protocol: Protocol,
    changes?: PaymentChanges,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Outcome>;
  /**
   * Fails the test unless the service is alive, the payer has paid `movedMinor` since this was last
   * asked, and the sums of the ledger are right. It pays 1 itself.
   */
  expectExact(movedMinor?: bigint): Promise<void>;
  /** Ends the service. Fails the test unless every rule of the ledger holds. */
  close(): Promise<void>;
}

const FUNDS = 10n ** 12n;

/** What is 0 in a ledger none of whose payments is booked in parts, told in milliseconds. */
const SUMS = {
  text: `select (select sum(posted_minor) from account)::float8,
    (select sum(amount_minor) from entry)::float8,
    (select count(*) from entry)::int - 2 * count(*) filter (where status = 'SETTLED')::int,
    (select count(*) from payment_event)::int - sum(sequence)::int
    from payment`,
  rowMode: "array",
} as const;

/** Starts the service on a database of its own, with further settings if given. */
export async function openPaymentDesk(settings: Environment = {}): Promise<PaymentDesk> {
  const database = await createMigratedDatabase();
  const proxy = await openCuttingProxy(database.url);
  const app = await startTestApp({ DATABASE_URL: proxy.url, ...settings });
  const url = app.apiUrl;
  const authorization = `Bearer ${app.adminKey}`;
  const transport = createConnectTransport({
    baseUrl: url,
    httpVersion: "1.1",
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", authorization);
        return next(request);
      },
    ],
  });
  const payments = createClient(PaymentService, transport);
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await openAccounts(createClient(AccountService, transport));
  await payments.createPayment(
    paymentRequest({
      idempotencyKey: randomUUID(),
      debtorAccountId: ACCOUNTS.bank,
      creditorAccountId: ACCOUNTS.debtor,
      amount: { currencyCode: "EUR", amountMinor: FUNDS },
    }),
  );
  let balance = FUNDS;

  const send: PaymentDesk["send"] = (protocol, path, message, headers, flags) =>
    callUnary(url, protocol, path, message, { authorization, ...headers }, flags);
  const call: PaymentDesk["call"] = (protocol, method, request, headers) => {
    const message = encode(protocol, method.input, create(method.input, request));
    return send(protocol, `/${method.parent.typeName}/${method.name}`, message, headers);
  };
  return {
    url,
    adminUrl: app.adminUrl,
    port: Number(new URL(url).port),
    authorization,
    databaseUrl: database.url,
    proxy,
    send,
    call,
    pay: (protocol, changes, headers) =>
      call(protocol, PaymentService.method.createPayment, paymentRequest(changes), headers),
    async expectExact(movedMinor = 0n) {
      balance -= movedMinor + 1n;
      const amount = { currencyCode: "EUR", amountMinor: 1n };
      const request = paymentRequest({ idempotencyKey: randomUUID(), amount });
      const { payment } = await payments.createPayment(request);
      expect(payment?.status).toBe(PaymentStatus.SETTLED);
      expect(payment?.debtorBalanceAfterMinor).toBe(balance);
      expect((await client.query(SUMS)).rows).toEqual([[0, 0, 0, 0]]);
    },
    async close() {
      await app.stop();
      await client.end();
      await proxy.close();
      await expectInvariants(database.url);
      await database.drop();
    },
  };
}

/** Reads the message that a successful call was answered. */
export function decode<Desc extends DescMessage>(
  protocol: Protocol,
  schema: Desc,
  outcome: Outcome,
): MessageShape<Desc> {
  expect(outcome.code, outcome.message).toBe("ok");
  return protocol.isJson
    ? fromJsonString(schema, outcome.body.toString())
    : fromBinary(schema, outcome.body);
}

type Accounts = ReturnType<typeof createClient<typeof AccountService>>;

async function openAccounts(client: Accounts): Promise<void> {
  const open = (accountId: string, currencyCode = "EUR", overdraftMode?: OverdraftMode) =>
    client.createAccount({ accountId, currencyCode, overdraftMode });
  await open(ACCOUNTS.bank, "EUR", OverdraftMode.UNBOUNDED);
  for (const id of [ACCOUNTS.debtor, ACCOUNTS.creditor, ACCOUNTS.empty]) await open(id);
  await open(ACCOUNTS.inDollars, "USD");
  for (const [accountId, status] of [
    [ACCOUNTS.frozen, AccountStatus.FROZEN],
    [ACCOUNTS.closed, AccountStatus.CLOSED],
  ] as const) {
    await open(accountId);
    await client.updateAccount({ accountId, status });
  }
}
