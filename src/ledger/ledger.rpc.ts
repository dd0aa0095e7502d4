import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { LedgerService } from "../../gen/instantpayment/v1/ledger_service_pb.ts";
import type { Call } from "../kernel/call.ts";
import type { VerifyLedger } from "./verify.ts";

/** What LedgerService is made of. */
export interface LedgerRpcDeps {
  /** Who calls, and until when it waits. */
  readonly callOf: (context: HandlerContext) => Call;
  readonly verifyLedger: VerifyLedger;
}

/** `instantpayment.v1.LedgerService` on the use cases. */
export function createLedgerRpc(deps: LedgerRpcDeps): ServiceImpl<typeof LedgerService> {
  return {
    async verifyLedger(_request, context) {
      const found = await deps.verifyLedger(deps.callOf(context).principal);
      return {
        ok: found.findings.length === 0,
        accountCount: BigInt(found.accounts),
        paymentCount: BigInt(found.payments),
        entryCount: BigInt(found.entries),
        eventCount: BigInt(found.events),
        findings: found.findings,
      };
    },
  };
}
