import { createSocket } from "node:dgram";
import { once } from "node:events";

/** A name server for tests: it tells the IPv4 addresses of names (RFC 1035), and no other thing. */
export interface DnsServer {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  /** The addresses of each name; they may change at any time. */
  readonly names: Map<string, Set<string>>;
  readonly close: () => void;
}

const HEADER_BYTES = 12;
const TYPE_A = 1;
const NO_SUCH_NAME = 3;

/** Starts one without names. */
export async function startDnsServer(): Promise<DnsServer> {
  const names = new Map<string, Set<string>>();
  const socket = createSocket("udp4");
  socket.on("message", (query, { port, address }) => {
    socket.send(answerTo(query, names), port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    address: `127.0.0.1:${socket.address().port}`,
    names,
    close: () => socket.close(),
  };
}

function answerTo(query: Buffer, names: ReadonlyMap<string, Set<string>>): Buffer {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at++] ?? 0; length > 0; length = query[at++] ?? 0) {
    labels.push(query.toString("latin1", at, at + length));
    at += length;
  }
  const type = query.readUInt16BE(at);
  const question = query.subarray(HEADER_BYTES, at + 4);
  const known = names.get(labels.join(".").toLowerCase());
  const addresses = type === TYPE_A ? [...(known ?? [])] : [];
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2);
  // An answer with authority, recursion asked for and had.
  header.writeUInt16BE(0x8580 | (known === undefined ? NO_SUCH_NAME : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(addresses.length, 6);
  // The question's name, an address of the Internet, valid for no time, of four bytes.
  const record = Buffer.from("c00c00010001000000000004", "hex");
  const records = addresses.map((one) =>
    Buffer.concat([record, Buffer.from(one.split(".").map(Number))]),
  );
  return Buffer.concat([header, question, ...records]);
}
