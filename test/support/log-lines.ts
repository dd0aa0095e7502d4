import { Writable } from "node:stream";

/** A stream for a logger that keeps the lines. */
export interface LogLines {
  readonly stream: Writable;
  /** As they were written so far. */
  readonly lines: Record<string, unknown>[];
}

/** Keeps what a logger writes. */
export function keepLines(): LogLines {
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(line: Buffer, _encoding, done) {
      lines.push(JSON.parse(line.toString()));
      done();
    },
  });
  return { stream, lines };
}
