import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A way to a server that a test can do harm on. */
export interface TcpProxy {
  /** The given URL, through the proxy. */
  readonly url: string;
  /** Ends all connections that there are. */
  cutAll(): void;
  close(): Promise<void>;
}

/** The two ends of a connection through the proxy; when one is closed, so is the other. */
export interface ProxiedConnection {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Ends both. */
  readonly end: () => void;
}

/** What a proxy does. */
export interface TcpProxyOptions {
  /** Told of every connection; passes on what either end sends. */
  readonly relay: (connection: ProxiedConnection) => void;
  /** Refuses everybody while it's false. */
  readonly admits?: () => boolean;
  /** The server of the next connection, by its URL; the same one for all if absent. */
  readonly target?: () => string;
}

/** Opens a proxy to the server of a URL. */
export async function openTcpProxy(url: string, options: TcpProxyOptions): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  // Without a delay for small writes, which would make each round trip 40 ms.
  const server = createServer({ noDelay: true }, (client) => {
    if (options.admits?.() === false) {
      client.destroy();
      return;
    }
    const target = new URL(options.target?.() ?? url);
    const upstream = connect({ port: Number(target.port), host: target.hostname, noDelay: true });
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
    options.relay({ client, upstream, end });
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
    cutAll,
    async close() {
      cutAll();
      server.close();
      await once(server, "close");
    },
  };
}
