import { raw, type MikroORM } from "@mikro-orm/postgresql";
import type { Call } from "../kernel/call.ts";
import type { DatabaseClock } from "../kernel/clock.ts";
import { ServiceError } from "../kernel/errors.ts";
import { uuidv7TimeMs } from "../kernel/ids.ts";
import { isAdmin } from "../kernel/principal.ts";
import type { Committed, GroupCommit } from "../ledger/group-commit.ts";
import {
  keyedCommand,
  type Amount,
  type TargetBase,
  type TargetCommand,
} from "./payment-command.ts";
import type { Asked } from "./payment.ts";

/** What every change of a payment names. */
export interface ChangeRequest {
  readonly paymentId: string;
  readonly idempotencyKey: string;
}

/** A capture: an undefined amount is all that is held. */
export interface CapturePayment extends ChangeRequest {
  readonly amount: Amount | undefined;
  /** Release the rest. */
  readonly final: boolean;
}

/** A refund: an undefined amount is all that is left. */
export interface RefundPayment extends ChangeRequest {
  readonly amount: Amount | undefined;
  readonly remittanceInformation: string;
}

/** Changes of payments that are there. */
export interface ChangePayment {
  capture(call: Call, request: CapturePayment): Promise<Committed>;
  cancel(call: Call, request: ChangeRequest): Promise<Committed>;
  /** Returns the refund. */
  refund(call: Call, request: RefundPayment): Promise<Committed>;
  /** Returns the payment itself if it was pending, a new one if it was rejected. */
  retry(call: Call, request: ChangeRequest): Promise<Committed>;
}

/**
 * Makes the changes of payments.
 *
 * 1. Read what never changes of the payment: its accounts and whose they are. A crash leaves
 *    nothing.
 * 2. Hand a command to the ledger, whose one transaction takes the key, locks the payment and its
 *    accounts, decides and writes. A crash before its COMMIT leaves nothing; after it, the key
 *    finds what was done.
 *
 * Each throws PAYMENT_NOT_FOUND for what isn't the caller's, the reasons of `REFUSALS`, those that
 * `decide-change.ts` names, IDEMPOTENCY_KEY_REUSED and what `GroupCommit.submit` throws.
 */
export function createChangePayment(deps: {
  readonly orm: MikroORM;
  readonly ledger: GroupCommit;
  readonly databaseClock: DatabaseClock;
}): ChangePayment {
  async function change(
    call: Call,
    { paymentId, idempotencyKey }: ChangeRequest,
    asked: Asked,
    make: (base: TargetBase) => TargetCommand,
  ): Promise<Committed> {
    const { principal, deadlineMs } = call;
    const { debtorOwnerId, creditorOwnerId, ...target } = await findTarget(deps.orm, paymentId);
    const owns = (ownerId: string | null) => isAdmin(principal) || ownerId === principal.ownerId;
    if (!owns(debtorOwnerId) && !owns(creditorOwnerId)) throw new ServiceError("PAYMENT_NOT_FOUND");
    const nowMs = deps.databaseClock.now();
    const key = keyedCommand(call, { idempotencyKey, asked, nowMs });
    return deps.ledger.submit(make({ ...key, target }), deadlineMs);
  }

  return {
    capture(call, request) {
      const { amount, final } = request;
      const asked = {
        ...askedOf("CapturePayment", request),
        ...askedAmount(amount),
        final: String(final),
      };
      return change(call, request, asked, (base) => ({ ...base, kind: "capture", amount, final }));
    },

    cancel: (call, request) =>
      change(call, request, askedOf("CancelPayment", request), (base) => ({
        ...base,
        kind: "cancel",
      })),

    refund(call, request) {
      const { amount, remittanceInformation } = request;
      const asked = {
        ...askedOf("RefundPayment", request),
        ...askedAmount(amount),
        remittance_information: remittanceInformation,
      };
      const own = { kind: "refund", amount, remittanceInformation } as const;
      return change(call, request, asked, (base) => ({ ...base, ...own }));
    },

    retry: (call, request) =>
      change(call, request, askedOf("RetryPayment", request), (base) => ({
        ...base,
        kind: "retry",
      })),
  };
}

interface TargetRow {
  readonly debtor_account_id: string;
  readonly creditor_account_id: string;
  readonly debtor_owner_id: string | null;
  readonly creditor_owner_id: string | null;
}

/** What never changes of a payment. Throws PAYMENT_NOT_FOUND. */
async function findTarget(orm: MikroORM, id: string) {
  const createTime = new Date(uuidv7TimeMs(id) ?? 0);
  const sql = raw(
    `select p.debtor_account_id, p.creditor_account_id, d.owner_id as debtor_owner_id,
       c.owner_id as creditor_owner_id
     from payment p left join account d on d.id = p.debtor_account_id
       left join account c on c.id = p.creditor_account_id
     where p.create_time = ? and p.id = ?`,
    [createTime, id],
  );
  const [row] = await orm.em.fork().execute<TargetRow[]>(sql);
  if (!row) throw new ServiceError("PAYMENT_NOT_FOUND");
  return {
    id,
    createTime,
    debtorAccountId: row.debtor_account_id,
    creditorAccountId: row.creditor_account_id,
    debtorOwnerId: row.debtor_owner_id,
    creditorOwnerId: row.creditor_owner_id,
  };
}

function askedOf(method: string, { paymentId }: ChangeRequest): Asked {
  return { method, payment_id: paymentId };
}

function askedAmount(amount: Amount | undefined): Asked {
  return {
    "amount.currency_code": amount?.currencyCode ?? "",
    "amount.amount_minor": amount?.amountMinor.toString() ?? "",
  };
}
