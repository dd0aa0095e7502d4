import { lookup as resolveHost, type LookupAddress } from "node:dns";
import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { createIsPublicAddress } from "./public-address.ts";
import { hostOf } from "./webhook-url.ts";

/** What an endpoint answered. */
export interface PostAnswer {
  readonly statusCode: number;
  /** The header Retry-After, as it came. */
  readonly retryAfter: string | undefined;
}

/** One request to sign and send. */
export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends requests to endpoints of people who aren't trusted. */
export interface PostWebhook {
  /** Throws, with a message for the owner, if there was no answer. */
  readonly post: (post: Post) => Promise<PostAnswer>;
  readonly close: () => void;
}

/** From the beginning, the connection included, to the answer's headers. */
const TIMEOUT_MS = 10_000;
/** What is read of an answer's body, so that the connection can be used again. */
const MAX_ANSWER_BYTES = 64 * 1_024;
const MAX_IDLE_MS = 4_000;

/**
 * Posts by Node's own client, which follows no redirect and, with agents of its own, no proxy of the
 * environment. What a name stands for is checked as it's connected to, so that a name can't
 * stand for another address a moment later; a connection that is used again was checked before.
 */
export function createPostWebhook(options: { readonly allowPrivate: boolean }): PostWebhook {
  const isPublic = createIsPublicAddress();
  const isAllowed = (address: string) => options.allowPrivate || isPublic(address);
  const agentOptions = {
    keepAlive: true,
    timeout: MAX_IDLE_MS,
    lookup: createLookup(isAllowed),
  };
  const http = new HttpAgent(agentOptions);
  const https = new HttpsAgent(agentOptions);

  function send({ url: text, headers, body }: Post): Promise<PostAnswer> {
    const url = new URL(text);
    const host = hostOf(url);
    // A resolver isn't asked for what is an address already.
    if (isIP(host) !== 0 && !isAllowed(host)) throw new Error(PRIVATE);
    const isTls = url.protocol === "https:";
    const { promise, resolve, reject } = Promise.withResolvers<PostAnswer>();
    const request = (isTls ? requestHttps : requestHttp)(url, {
      method: "POST",
      agent: isTls ? https : http,
      headers: {
        ...headers,
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        "user-agent": "instant-payment-webhooks",
      },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    request.on("response", (response) => {
      resolve({ statusCode: response.statusCode!, retryAfter: response.headers["retry-after"] });
      discard(response);
    });
    request.on("error", (error) => {
      reject(request.reusedSocket && isReset(error) ? new StaleConnectionError() : error);
    });
    // Another protocol, for example, is neither an answer nor an error.
    request.on("close", () => reject(Object.assign(new Error("closed"), { code: "CLOSED" })));
    request.end(body);
    return promise;
  }

  return {
    async post(post) {
      try {
        return await send(post).catch((error: unknown) => {
          // It was closed while it wasn't used, just as it was used again.
          if (error instanceof StaleConnectionError) return send(post);
          throw error;
        });
      } catch (cause) {
        throw new Error(describe(cause), { cause });
      }
    },
    close() {
      http.destroy();
      https.destroy();
    },
  };
}

class StaleConnectionError extends Error {
  override readonly name = "StaleConnectionError";
}

const PRIVATE = "its address is a private one";

/** Reads what may be read, and cuts the connection if there is more or it takes too long. */
function discard(response: IncomingMessage): void {
  let bytes = 0;
  response.on("error", () => undefined);
  response.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) response.destroy();
  });
}

type Resolved = (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void;

/**
 * Resolves names to addresses that are allowed. Node has few threads for it, so that a name which
 * takes long is asked for once, however many wait.
 */
function createLookup(isAllowed: (address: string) => boolean): LookupFunction {
  const waiting = new Map<string, Resolved[]>();
  function resolve(hostname: string, done: Resolved): void {
    const others = waiting.get(hostname);
    if (others) return void others.push(done);
    waiting.set(hostname, [done]);
    resolveHost(hostname, { all: true }, (error, addresses) => {
      const all = waiting.get(hostname) ?? [];
      waiting.delete(hostname);
      for (const one of all) one(error, addresses);
    });
  }
  return (hostname, { all, family }, callback) => {
    resolve(hostname, (error, addresses) => {
      if (error) return callback(error, "", 0);
      const wanted = family === 4 || family === 6 ? [family] : [4, 6];
      const allowed = addresses.filter(
        (one) => isAllowed(one.address) && wanted.includes(one.family),
      );
      const [first] = allowed;
      if (first === undefined) callback(new Error(PRIVATE), "", 0);
      else if (all) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

function isReset(error: Error): boolean {
  return "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
}

const MAX_DESCRIPTION = 200;

/** Why there was no answer, in words that tell its owner and nothing of this side. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return "no answer";
  if (error.message === PRIVATE) return PRIVATE;
  if (error.name === "TimeoutError" || error.name === "AbortError") {
    return `no answer within ${TIMEOUT_MS / 1_000} s`;
  }
  const code = "code" in error && typeof error.code === "string" ? error.code : error.name;
  return `no answer: ${code}`.slice(0, MAX_DESCRIPTION);
}
