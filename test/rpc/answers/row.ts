import { expectError, type Expected } from "../../support/expect-error.ts";
import type { PaymentDesk } from "../../support/payment-desk.ts";
import type { Outcome, Protocol } from "../../support/rpc-protocols.ts";

/** One input and the answer that it's promised, in every protocol in which it makes sense. */
export interface Row {
  readonly what: string;
  /** Leaves protocols out. */
  readonly in?: (protocol: Protocol) => boolean;
  readonly send: (desk: PaymentDesk, protocol: Protocol) => Promise<Outcome>;
  /** An error, or what is to be checked of another answer. */
  readonly expected: Expected | ((outcome: Outcome, protocol: Protocol) => void);
  /** What the payer has less afterwards. */
  readonly moves?: bigint;
}

/** Fails the test unless the outcome is what the row promises. */
export function expectAnswer(row: Row, protocol: Protocol, outcome: Outcome): void {
  if (typeof row.expected === "function") row.expected(outcome, protocol);
  else expectError(protocol, outcome, row.expected);
}
