import { openTcpProxy } from "./tcp-proxy.ts";

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
  /** What is sent on when there are answers again: a network loses nothing of a connection. */
  let held: (() => void)[] = [];
  let delayMs = 0;
  const proxy = await openTcpProxy(url, {
    relay({ client, upstream }) {
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
    },
  });
  return {
    url: proxy.url,
    delay(ms) {
      delayMs = ms;
      const late = held;
      held = [];
      for (const send of late) send();
    },
    close: () => proxy.close(),
  };
}
