/** Random numbers that a seed repeats (mulberry32): a whole number from 0 up to, without, `below`. */
export type Random = (below: number) => number;

/** Makes the random numbers of a seed. */
export function seededRandom(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

/** What texts go wrong on: numbers, JSON, Unicode, header and path tricks. */
const TOKENS = [
  "null", "[]", "{}", "true", "-1", "0", "1e3", "1.5", "NaN", "9007199254740992", "\\u0000",
  "\\ud800", '"', "'", "\\", "\u0000", "\r\n", "\r\n\r\n", ": ", "{\"a\":".repeat(200), "%00", "%",
  "[", "chunked", "Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n", "Host: [\r\n", "gzip",
  "application/grpc", "application/proto", "application/connect+json", "0S", "99999999999",
  "HTTP/1.0", "HTTP/9.9", "PRI * HTTP/2.0", "../", "?encoding=json&message=%7B%7D", "\uFEFF", "é🙂",
]; // prettier-ignore

type Mutate = (bytes: Buffer, random: Random) => Buffer;

const MUTATIONS: readonly Mutate[] = [
  function flipBits(bytes, random) {
    const copy = Buffer.from(bytes);
    for (let n = 1 + random(4); n > 0; n--) copy[random(copy.length)]! ^= 1 << random(8);
    return copy;
  },
  function randomBytes(bytes, random) {
    const copy = Buffer.from(bytes);
    const at = random(copy.length);
    for (let i = at; i < Math.min(copy.length, at + 1 + random(8)); i++) copy[i] = random(256);
    return copy;
  },
  (bytes, random) => splice(bytes, random(bytes.length), random(16), Buffer.alloc(0)),
  function repeatPart(bytes, random) {
    const at = random(bytes.length);
    return splice(bytes, at, 0, bytes.subarray(at, at + random(64)));
  },
  (bytes, random) => bytes.subarray(0, 1 + random(bytes.length)),
  (bytes, random) =>
    splice(bytes, random(bytes.length), random(4), Buffer.from(TOKENS[random(TOKENS.length)]!)),
  function otherValue(bytes, random) {
    // A whole JSON value or header value for another: what parsers see most of.
    const values = [...bytes.toString("latin1").matchAll(/(?<=[:=] ?)("[^"]*"|[\w./+-]+)/g)];
    const value = values[random(values.length)];
    if (!value) return bytes;
    const token = Buffer.from(TOKENS[random(TOKENS.length)]!);
    return splice(bytes, value.index, value[0].length, token);
  },
];

/** One to three random changes of the bytes. */
export function mutate(bytes: Buffer, random: Random): Buffer {
  let mutated = bytes;
  for (let n = 1 + random(3); n > 0 && mutated.length > 0; n--) {
    mutated = MUTATIONS[random(MUTATIONS.length)]!(mutated, random);
  }
  return mutated;
}

function splice(bytes: Buffer, at: number, remove: number, insert: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
}
