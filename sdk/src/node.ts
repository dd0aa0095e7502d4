import { createConnectTransport } from "@connectrpc/connect-node";
import {
  createInstantPaymentOn,
  type InstantPayment,
  type InstantPaymentOptions,
} from "./client.ts";

export * from "./public.ts";

/**
 * Makes a client for Node.js. HTTP/1.1, because it passes every proxy; the connections are kept
 * open between calls and don't keep the process alive. Throws INVALID_FIELD.
 */
export function createInstantPayment(options: InstantPaymentOptions): InstantPayment {
  return createInstantPaymentOn(
    (transport) => createConnectTransport({ ...transport, httpVersion: "1.1" }),
    options,
  );
}
