import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** When the proxy cuts a connection over which a COMMIT goes. */
export type Cut = "never" | "before the commit" | "after the commit";

/** A way to PostgreSQL that breaks as a network does. */
export interface CuttingProxy {
  /** The given URL, through the proxy. */
  readonly url: string;
  /** How many more COMMITs are cut, and when. */
  cutCommits(cut: Cut, times: number): void;
  /** How many have been cut. */
  readonly cuts: number;
  /** Refuses everybody, and cuts who is there, until it's called with false. */
  goAway(away: boolean): void;
  close(): Promise<void>;
}

/** Opens a proxy to the PostgreSQL of a URL. The query that ends with `commit` is the COMMIT. */
export async function openCuttingProxy(url: string): Promise<CuttingProxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let cut: Cut = "never";
  let left = 0;
  let cuts = 0;
  let isAway = false;

  // Without a delay for small writes, which would make each round trip 40 ms.
  const server = createServer({ noDelay: true }, (client) => {
    if (isAway) {
      client.destroy();
      return;
    }
    const upstream = connect({
      port: Number(target.port),
      host: target.hostname,
      noDelay: true,
    });
    let committing = false;
    function end(): void {
      client.destroy();
      upstream.destroy();
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
    client.on("data", (bytes) => {
      if (left > 0 && bytes.includes("commit\0")) {
        left--;
        if (cut === "before the commit") {
          cuts++;
          end();
          return;
        }
        committing = true;
      }
      upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      // The answer to COMMIT stays here: whoever waits for it never learns what it was.
      if (committing) {
        if (!bytes.includes("COMMIT\0")) return;
        cuts++;
        end();
        return;
      }
      client.write(bytes);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const through = new URL(url);
  through.hostname = "127.0.0.1";
  through.port = String((server.address() as AddressInfo).port);

  function cutAll(): void {
    for (const socket of sockets) socket.destroy();
  }
  return {
    url: through.href,
    cutCommits(when, times) {
      cut = when;
      left = times;
    },
    get cuts() {
      return cuts;
    },
    goAway(away) {
      isAway = away;
      if (away) cutAll();
    },
    async close() {
      cutAll();
      server.close();
      await once(server, "close");
    },
  };
}
