import { connect as connectHttp2 } from "node:http2";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { toBinary, toJsonString } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { CreatePaymentRequestSchema } from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { createMigratedDatabase, openLedger } from "../support/ledger.ts";
import { mutate, seededRandom } from "../support/mutations.ts";
import { CREATE_PAYMENT, paymentRequest } from "../support/payment-requests.ts";
import { frame } from "../support/rpc-protocols.ts";
import { groupLives, run } from "../support/service-process.ts";

const MUTATIONS = 50_000;
const CONNECTIONS = 48;
/** A client that hears nothing for so long hangs up, as the one who lied about a length does. */
const SILENCE_MS = 80;
/** The deadline of a call that names none, and a second; three times that on a busy machine. */
const HANG_MS = 3 * 6_000;
const ADMIN_KEY = "an-administrators-key-that-tests-use";
/** 501 is an unknown method, 503 a full queue, 504 a deadline, 505 another HTTP: all as promised. */
const PROMISED_5XX = new Set(["501", "503", "504", "505"]);

test("50,000 mutated requests crash, hang and confuse nothing", { timeout: 900_000 }, async () => {
  const database = await createMigratedDatabase();
  const ledger = await openLedger(database.url);
  const service = run([process.execPath, "src/main.ts", "--json"], {
    DATABASE_URL: database.url,
    ADMIN_API_KEY: ADMIN_KEY,
    PORT: "0",
    ADMIN_PORT: "0",
    LOG_LEVEL: "error",
  });
  try {
    const { apiUrl } = JSON.parse(await service.printed("\n")) as { apiUrl: string };
    const port = Number(new URL(apiUrl).port);
    const alice = await ledger.openFunded(1_000_000n);
    const bob = await ledger.open({ ownerId: "bob" });
    const samples = await makeSamples(apiUrl, alice.id, bob.id);
    for (const sample of samples) expect(await answerTo(port, sample)).toContain("200");

    const seed = Math.floor(Math.random() * 2 ** 31);
    console.log(`seed of the mutations: ${seed}`);
    const random = seededRandom(seed);
    const unpromised = new Map<string, string>();
    let sent = 0;
    const attack = async (): Promise<void> => {
      while (sent++ < MUTATIONS) {
        const bytes = mutate(samples[random(samples.length)]!, random);
        const status = /^HTTP\/1\.1 (5\d\d)/.exec(await answerTo(port, bytes, SILENCE_MS))?.[1];
        if (status && !PROMISED_5XX.has(status)) unpromised.set(status, bytes.toString("latin1"));
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, attack));

    expect(Object.fromEntries(unpromised)).toEqual({});
    for (const sample of samples) expect(await answerTo(port, sample)).toContain("200");
    expect((await ledger.verify()).findings).toEqual([]);
    service.signal("SIGTERM");
    // Whatever went wrong inside, over any protocol, would have been logged as an error.
    expect(await service.ended).toMatchObject({ code: 0, stderr: "" });
  } finally {
    if (groupLives(service.pid)) service.killHard();
    await ledger.close();
    await database.drop();
  }
});

/** Requests of each protocol as they go over the wire, HTTP/2 with its preface and frames. */
async function makeSamples(apiUrl: string, debtor: string, creditor: string): Promise<Buffer[]> {
  const request = paymentRequest({
    idempotencyKey: "mutated",
    debtorAccountId: debtor,
    creditorAccountId: creditor,
  });
  const json = Buffer.from(toJsonString(CreatePaymentRequestSchema, request));
  const binary = Buffer.from(toBinary(CreatePaymentRequestSchema, request));
  const batch = Buffer.from(`{"requests": [${json.toString()}]}`);
  const balance = encodeURIComponent(JSON.stringify({ accountId: debtor }));
  return [
    http1("POST", CREATE_PAYMENT, "application/json", json),
    http1("POST", CREATE_PAYMENT, "application/proto", binary),
    http1("POST", CREATE_PAYMENT, "application/grpc-web+proto", frame(binary)),
    http1("POST", CREATE_PAYMENT.replace("Create", "BatchCreate") + "s", "application/json", batch),
    http1("GET", `/instantpayment.v1.AccountService/GetBalance?encoding=json&message=${balance}`),
    await http2(apiUrl, "application/grpc", frame(binary)),
    await http2(apiUrl, "application/json", json),
  ];
}

function http1(
  method: string,
  path: string,
  contentType?: string,
  body: Buffer = Buffer.alloc(0),
): Buffer {
  const headers = [
    `${method} ${path} HTTP/1.1`,
    "Host: 127.0.0.1",
    `Authorization: Bearer ${ADMIN_KEY}`,
    ...(contentType ? [`Content-Type: ${contentType}`, `Content-Length: ${body.length}`] : []),
    "Connect-Timeout-Ms: 3000",
    "Connection: close",
  ];
  return Buffer.concat([Buffer.from(`${headers.join("\r\n")}\r\n\r\n`), body]);
}

/** What Node's HTTP/2 client sends for a call, recorded on a port of its own. */
async function http2(apiUrl: string, contentType: string, body: Buffer): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const recorder = createServer((socket) => {
    const upstream = connect(Number(new URL(apiUrl).port), "127.0.0.1");
    socket
      .on("data", (chunk) => chunks.push(chunk))
      .pipe(upstream)
      .pipe(socket);
    for (const end of [socket, upstream]) end.on("error", () => undefined);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => recorder.once("listening", resolve));
  const session = connectHttp2(`http://127.0.0.1:${(recorder.address() as AddressInfo).port}`);
  const stream = session.request({
    ":method": "POST",
    ":path": CREATE_PAYMENT,
    "content-type": contentType,
    te: "trailers",
    authorization: `Bearer ${ADMIN_KEY}`,
  });
  stream.end(body).resume();
  await new Promise((resolve) => stream.once("close", resolve));
  session.destroy();
  recorder.close();
  return Buffer.concat(chunks);
}

/** Sends the bytes and reads until the connection ends. Throws if it stays open too long. */
function answerTo(port: number, bytes: Buffer, silenceMs = 5_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let text = "";
    const hang = setTimeout(() => {
      reject(new Error(`hangs on ${JSON.stringify(bytes.toString("latin1"))}`));
      socket.destroy();
    }, HANG_MS);
    let silence = setTimeout(() => socket.end(), silenceMs);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      clearTimeout(silence);
      silence = setTimeout(() => socket.end(), silenceMs);
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(hang);
      clearTimeout(silence);
      // HTTP/2 answers in frames: that it answered at all with a status is the first thing in them.
      resolve(text.startsWith("HTTP/") ? text : text.length > 60 ? `200 ${text}` : text);
    });
  });
}
