import { type ClientHttp2Session, connect } from "node:http2";
import { once } from "node:events";

/** Streams that are open on an instance, and what was heard on them. */
export interface Watchers {
  /** Throws if one of them has ended. */
  check(): void;
  /** Messages so far, heartbeats included. */
  readonly messages: number;
  stop(): Promise<void>;
}

/** One watches a payment for each that watches an account's every change. */
const PAYMENTS_PER_ACCOUNT = 4;
/** Less than a connection may have. */
const STREAMS_PER_CONNECTION = 100;
const OPENED_AT_ONCE = 50;
const SERVICE = "/instantpayment.v1";

/** Where watchers connect to, and with which key. */
export interface WatchTarget {
  readonly address: string;
  readonly apiKey: string;
}

/**
 * Opens so many streams on an instance, four fifths of them on payments that are settled and a
 * fifth on accounts that pay and are paid; resolves once each has told what is. The bytes aren't
 * decoded: what readers do with them is their own.
 */
export async function openWatchers(target: WatchTarget, count: number): Promise<Watchers> {
  const accounts = Math.floor(count / (PAYMENTS_PER_ACCOUNT + 1));
  const requests = [
    ...Array.from({ length: accounts }, (_, i) => watchAccount(i + 1)),
    ...(await listPayments(target, count - accounts)).map(watchPayment),
  ];
  const sessions: ClientHttp2Session[] = [];
  let ended = 0;
  let messages = 0;
  async function open({ method, body }: WatchRequest, i: number): Promise<void> {
    if (i % STREAMS_PER_CONNECTION === 0) sessions.push(connect(`http://${target.address}`));
    const stream = sessions.at(-1)!.request({
      ":method": "POST",
      ":path": `${SERVICE}.${method}`,
      "content-type": "application/connect+json",
      authorization: `Bearer ${target.apiKey}`,
    });
    stream.on("error", () => undefined);
    stream.once("close", () => ended++);
    stream.on("data", () => messages++);
    stream.end(envelope(JSON.stringify(body)));
    await once(stream, "data");
  }

  for (let i = 0; i < requests.length; i += OPENED_AT_ONCE) {
    const some = requests.slice(i, i + OPENED_AT_ONCE);
    await Promise.all(some.map((request, n) => open(request, i + n)));
  }
  return {
    check() {
      if (ended > 0) throw new Error(`${ended} of ${requests.length} streams have ended`);
    },
    get messages() {
      return messages;
    },
    async stop() {
      await Promise.all(
        sessions.map(async (session) => {
          session.destroy();
          await once(session, "close");
        }),
      );
    },
  };
}

interface WatchRequest {
  readonly method: string;
  readonly body: Readonly<Record<string, string>>;
}

function watchAccount(number: number): WatchRequest {
  const accountId = `00000000-0000-7000-8000-${String(number).padStart(12, "0")}`;
  return { method: "AccountService/WatchAccount", body: { accountId } };
}

function watchPayment(paymentId: string): WatchRequest {
  return { method: "PaymentService/WatchPayment", body: { paymentId } };
}

/** The ids of payments that are there. */
async function listPayments({ address, apiKey }: WatchTarget, count: number): Promise<string[]> {
  const ids: string[] = [];
  let pageToken = "";
  do {
    const response = await fetch(`http://${address}${SERVICE}.PaymentService/ListPayments`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${apiKey}` },
      body: JSON.stringify({ pageSize: 1_000, pageToken }),
    });
    const page = (await response.json()) as Page;
    ids.push(...page.payments.map(({ id }) => id));
    pageToken = page.nextPageToken;
  } while (ids.length < count && pageToken !== "");
  if (ids.length < count) throw new Error(`there are ${ids.length} payments to watch`);
  return ids.slice(0, count);
}

interface Page {
  readonly payments: readonly { readonly id: string }[];
  readonly nextPageToken: string;
}

/** A message of a stream: one byte of flags, four of length. */
function envelope(message: string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(Buffer.byteLength(message), 1);
  return Buffer.concat([head, Buffer.from(message)]);
}
