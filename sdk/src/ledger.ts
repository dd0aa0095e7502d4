import type { Client } from "@connectrpc/connect";
import type { LedgerService } from "../../gen/instantpayment/v1/ledger_service_pb.ts";
import type { CallOptions, MakeCall } from "./retry.ts";
import { countOf } from "./wire.ts";

/** One thing that is wrong in the ledger. */
export interface LedgerFinding {
  /** The broken rule, for example `PAYMENT_NOT_BALANCED`. */
  readonly kind: string;
  /** The account, payment or event that it was found on. */
  readonly subjectId: string;
  /** For people: what was expected and what is there. */
  readonly detail: string;
}

/** What the check of the ledger found. */
export interface LedgerReport {
  /** True if there is no finding. */
  readonly ok: boolean;
  readonly accountCount: number;
  readonly paymentCount: number;
  readonly entryCount: number;
  readonly eventCount: number;
  /** At most 100 of each kind. */
  readonly findings: readonly LedgerFinding[];
}

/** The methods for the ledger as a whole. */
export interface LedgerMethods {
  /**
   * Proves that the ledger is right. For administrators. Reads everything: it may take minutes and
   * has ten of them unless `timeoutMs` says otherwise; an attempt isn't cut off before.
   */
  verifyLedger(options?: CallOptions): Promise<LedgerReport>;
}

const VERIFY_TIMEOUT_MS = 600_000;

/** Makes the methods for the ledger on top of the generated client. */
export function createLedgerMethods(deps: {
  readonly rpc: Client<typeof LedgerService>;
  readonly makeCall: MakeCall;
}): LedgerMethods {
  return {
    async verifyLedger(options = {}) {
      const timeoutMs = options.timeoutMs ?? VERIFY_TIMEOUT_MS;
      const traits = { writes: false, attemptTimeoutMs: timeoutMs };
      const answer = await deps.makeCall(traits, { ...options, timeoutMs }, (attempt) =>
        deps.rpc.verifyLedger({}, attempt),
      );
      return {
        ok: answer.ok,
        accountCount: countOf(answer.accountCount),
        paymentCount: countOf(answer.paymentCount),
        entryCount: countOf(answer.entryCount),
        eventCount: countOf(answer.eventCount),
        findings: answer.findings.map(({ kind, subjectId, detail }) => ({
          kind,
          subjectId,
          detail,
        })),
      };
    },
  };
}
