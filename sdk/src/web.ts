import { createConnectTransport } from "@connectrpc/connect-web";
import {
  createInstantPaymentOn,
  type InstantPayment,
  type InstantPaymentOptions,
} from "./client.ts";

export * from "./public.ts";

/** Makes a client for browsers and other runtimes with `fetch`. Throws INVALID_FIELD. */
export function createInstantPayment(options: InstantPaymentOptions): InstantPayment {
  return createInstantPaymentOn(createConnectTransport, options);
}
