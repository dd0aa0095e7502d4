import { setTimeout as sleep } from "node:timers/promises";
import { toJson } from "@bufbuild/protobuf";
import {
  CreatePaymentRequestSchema,
  CreatePaymentResponseSchema,
} from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { decode } from "./payment-desk.ts";
import type { Pay } from "./payment-load.ts";
import { CREATE_PAYMENT, paymentRequest } from "./payment-requests.ts";
import { callUnary, encode, type Outcome, type Protocol, PROTOCOLS } from "./rpc-protocols.ts";
import { toCommitted } from "./service-instance.ts";

/** Calls by hand. */
export interface RawCalls {
  readonly pay: Pay;
  /** How many calls were sent again. */
  readonly resent: number;
}

const PAUSE_MS = 50;

/**
 * Pays without the SDK, in each protocol in turn, every call on a connection of its own. What isn't
 * answered is sent again under its key for as long as `patienceMs`, then that's an error; so is any
 * other answer than a payment.
 */
export function createRawCalls(url: string, key: string, patienceMs: number): RawCalls {
  const headers = { authorization: `Bearer ${key}` };
  let calls = 0;
  let resent = 0;
  return {
    get resent() {
      return resent;
    },
    async pay({ amountMinor, ...sides }) {
      const protocol = PROTOCOLS[calls++ % PROTOCOLS.length]!;
      const request = paymentRequest({ ...sides, amount: { currencyCode: "EUR", amountMinor } });
      const message = encode(protocol, CreatePaymentRequestSchema, request);
      const startMs = performance.now();
      for (;;) {
        const outcome = await callUnary(url, protocol, CREATE_PAYMENT, message, headers).catch(
          (error: unknown) => String(error),
        );
        if (isAnswered(outcome)) return rowOf(protocol, outcome);
        if (performance.now() - startMs > patienceMs) {
          throw new Error(`${protocol.name}: no answer, at last ${JSON.stringify(outcome)}`);
        }
        resent++;
        await sleep(PAUSE_MS);
      }
    },
  };
}

/** Only what has a reason is the service's own; the load balancer's answers have none. */
function isAnswered(outcome: Outcome | string): outcome is Outcome {
  if (typeof outcome === "string") return false;
  const { code, reason } = outcome;
  return code === "ok" || (reason !== undefined && reason !== "UNAVAILABLE");
}

function rowOf(protocol: Protocol, outcome: Outcome) {
  const answer = decode(protocol, CreatePaymentResponseSchema, outcome);
  const json = toJson(CreatePaymentResponseSchema, answer, { alwaysEmitImplicit: true });
  return toCommitted(json).payment;
}
