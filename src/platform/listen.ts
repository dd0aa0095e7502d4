import { once } from "node:events";
import { type Server, createServer } from "node:net";
import { StartupError } from "./startup-error.ts";

/** Where to listen, and the setting that chose the port, to be named if that fails. */
export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly setting: string;
}

/** Listens and returns the port. Throws StartupError if it's taken or can't be had. */
export async function listen(server: Server, options: ListenOptions): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () => {
      server.off("error", reject);
      resolve();
    });
  }).catch((error: unknown) => {
    throw listenError(error, options);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

/** What failed listening is told as; errors of another kind come back as they are. */
function listenError(error: unknown, { host, port, setting }: ListenOptions): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const reason = {
    EADDRINUSE: `port ${port} on ${host} is taken: free it or set ${setting}`,
    EACCES: `port ${port} needs privileges: set ${setting} to one above 1023`,
    EADDRNOTAVAIL: `${host} is no address of this machine: set HOST`,
    ENOTFOUND: `${host} is unknown: set HOST`,
  }[String(code)];
  return reason === undefined ? error : new StartupError("unavailable", reason, { cause: error });
}

/**
 * Throws a StartupError with a line for each port or address that can't be had, so that a start
 * that can't succeed fails before it has done anything.
 */
export async function assertPortsFree(ports: readonly ListenOptions[]): Promise<void> {
  // An address that can't be had is the same for each of its ports.
  const lines = new Set<string>();
  for (const options of ports) {
    const probe = createServer();
    try {
      await listen(probe, options);
      await new Promise((resolve) => probe.close(resolve));
    } catch (error) {
      if (!(error instanceof StartupError)) throw error;
      lines.add(error.message);
    }
  }
  if (lines.size > 0) throw new StartupError("unavailable", [...lines].join("\n"));
}

/** The URL of a server; an IPv6 address gets its brackets. */
export function urlOf(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
