import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";
import { verifyWebhook } from "../../sdk/src/verify-webhook.ts";
import type { PaymentEvent } from "../../sdk/src/event.ts";

/** A request that came to an endpoint. */
export interface Received {
  readonly path: string;
  /** The header `webhook-id`. */
  readonly id: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What an endpoint answers, or nothing at all. */
export type Answer = number | { readonly status: number; readonly headers: Record<string, string> };

/** A server for webhooks that answers as it's told. */
export interface WebhookReceiver {
  readonly url: string;
  /** In the order in which they came; with their answers. */
  readonly received: (Received & { readonly status: number })[];
  /** Those of a path that were answered with 200, without those whose id came before. */
  readonly taken: (path: string) => readonly Received[];
  /** 200 unless it's changed. "never": no answer. */
  answer: (request: Received) => Answer | "never";
  readonly close: () => Promise<void>;
}

/** Starts a receiver on the loopback. */
export async function startReceiver(): Promise<WebhookReceiver> {
  const taken = new Map<string, Map<string, Received>>();
  const respond = async (message: IncomingMessage, response: ServerResponse) => {
    const request: Received = {
      path: message.url ?? "",
      id: String(message.headers["webhook-id"]),
      headers: message.headers,
      body: await text(message),
    };
    const answer = receiver.answer(request);
    const { status, headers } =
      typeof answer === "object" ? answer : { status: answer, headers: {} };
    receiver.received.push({ ...request, status: status === "never" ? 0 : status });
    if (status === 200) {
      const ofPath = taken.get(request.path) ?? new Map<string, Received>();
      taken.set(request.path, ofPath);
      if (!ofPath.has(request.id)) ofPath.set(request.id, request);
    }
    if (status !== "never") response.writeHead(status, headers).end("noted");
  };
  const server = createServer((message, response) => {
    respond(message, response).catch(() => response.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const receiver: WebhookReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: [],
    answer: () => 200,
    taken: (path) => [...(taken.get(path)?.values() ?? [])],
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return receiver;
}

/**
 * The event of a request, if its signature is right in the eyes of the specification's own library
 * and in those of the SDK.
 */
export async function verified(request: Received, secret: string): Promise<PaymentEvent> {
  const headers = request.headers as Record<string, string>;
  new Webhook(secret).verify(request.body, headers);
  return verifyWebhook(request.body, headers, secret);
}
