import { assertAdmin, type Principal } from "../kernel/principal.ts";
import type { UnitOfWork } from "../platform/unit-of-work.ts";
import { LEDGER_RULES, type RuleName } from "./ledger-rules.ts";

/** One thing that is wrong in the ledger. */
export interface Finding {
  readonly kind: RuleName;
  /** The id of the account, payment, event or key that it was found on. */
  readonly subjectId: string;
  /** What was expected and what is there. */
  readonly detail: string;
}

/** What was read, and what is wrong with it. */
export interface Verification {
  readonly accounts: number;
  readonly payments: number;
  readonly entries: number;
  readonly events: number;
  /** At most 100 of each kind. */
  readonly findings: Finding[];
}

/** Checks the whole ledger. */
export type VerifyLedger = (principal: Principal) => Promise<Verification>;

const MAX_FINDINGS_OF_A_KIND = 100;

const COUNTS = `select (select count(*) from account)::int8 as accounts,
  (select count(*) from payment)::int8 as payments,
  (select count(*) from entry)::int8 as entries,
  (select count(*) from payment_event)::int8 as events`;

/**
 * Reads the whole ledger in one read-only snapshot, while payments go on, and holds every rule of
 * `LEDGER_RULES` against it. Takes time that grows with the ledger. Throws MISSING_SCOPE for all
 * but an admin.
 */
export function createVerifyLedger(deps: { readonly unitOfWork: UnitOfWork }): VerifyLedger {
  return async (principal) => {
    assertAdmin(principal);
    return deps.unitOfWork.snapshot(async (query) => {
      // Each rule reads whole tables, of which PostgreSQL may have old statistics: for a hundred
      // findings it would then look up row by row, which takes the square of the ledger's size.
      await query("set local enable_nestloop = off");
      const [counts] = await query(COUNTS);
      const findings: Finding[] = [];
      for (const [kind, sql] of Object.entries(LEDGER_RULES)) {
        const rows = await query(
          `select subject_id::text, detail from (${sql}) broken limit ${MAX_FINDINGS_OF_A_KIND}`,
        );
        for (const row of rows) {
          findings.push({
            kind: kind as RuleName,
            subjectId: row["subject_id"]!,
            detail: row["detail"]!,
          });
        }
      }
      return {
        accounts: Number(counts?.["accounts"]),
        payments: Number(counts?.["payments"]),
        entries: Number(counts?.["entries"]),
        events: Number(counts?.["events"]),
        findings,
      };
    });
  };
}
