import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A way to a server that can be as slow as a network. */
export interface SlowProxy {
  /** The given URL, through the proxy. */
  readonly url: string;
  /** From now on every answer is late by so much, in milliseconds; with Infinity it's held back. */
  delay(ms: number): void;
  close(): Promise<void>;
}

/** Opens a proxy to the server of a URL. */
export async function openSlowProxy(url: string): Promise<SlowProxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  /** What is sent on when there are answers again: a network loses nothing of a connection. */
  let held: (() => void)[] = [];
  let delayMs = 0;
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: Number(target.port), host: target.hostname, noDelay: true });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
    client.on("data", (bytes) => upstream.write(bytes));
    let dueMs = 0;
    function answer(bytes: Buffer): void {
      if (delayMs === Infinity) {
        held.push(() => answer(bytes));
        return;
      }
      // Not before what came earlier.
      dueMs = Math.max(dueMs, performance.now() + delayMs);
      const waitMs = dueMs - performance.now();
      if (waitMs < 1) client.write(bytes);
      else setTimeout(() => client.write(bytes), waitMs);
    }
    upstream.on("data", answer);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const through = new URL(url);
  through.hostname = "127.0.0.1";
  through.port = String((server.address() as AddressInfo).port);
  return {
    url: through.href,
    delay(ms) {
      delayMs = ms;
      const late = held;
      held = [];
      for (const send of late) send();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
