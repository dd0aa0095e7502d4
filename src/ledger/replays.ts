import type { EntityManager, MikroORM } from "@mikro-orm/postgresql";
import { AccountEntity } from "../accounts/account.entity.ts";
import { ServiceError } from "../kernel/errors.ts";
import { IdempotencyKeyEntity } from "../payments/idempotency-key.entity.ts";
import { findDifference, keyName, type PaymentCommand } from "../payments/payment-command.ts";
import { seenBy, type SeenPayment } from "../payments/payment.ts";
import { PaymentEntity, type PaymentRow } from "../payments/payment.entity.ts";
import { amongRows } from "../platform/among-rows.ts";
import type { CommitOutcome } from "./commit-batch.ts";
import type { Outcomes } from "./decide-units.ts";
import { debtorNotFound } from "./posting.ts";

/** Notes what is stored for keys that were taken before. */
export type FindReplays = (
  commands: readonly PaymentCommand[],
  outcomes: Outcomes,
) => Promise<void>;

/**
 * For each command: the payment of its key as it is now, or a refusal if the key was used for
 * another request; nothing if nobody holds the key. ACCOUNT_NOT_FOUND if the debtor's account isn't
 * the caller's: an administrator's key of the same owner paid from it. A payment under the command's own id is one
 * that it stored itself in an attempt whose answer was lost: not a replay.
 */
export function createReplays(orm: MikroORM): FindReplays {
  return async (commands, outcomes) => {
    const em = orm.em.fork();
    const keys = await em.find(
      IdempotencyKeyEntity,
      amongRows(
        { owner_id: "text", key: "text" },
        commands.map(({ ownerId, idempotencyKey }) => ({ owner_id: ownerId, key: idempotencyKey })),
      ),
    );
    if (keys.length === 0) return;
    const payments = await em.find(
      PaymentEntity,
      amongRows(
        { create_time: "timestamptz", id: "uuid" },
        keys.map(({ paymentId, createTime }) => ({ create_time: createTime, id: paymentId })),
      ),
    );
    const ownerById = await ownersOf(em, commands, payments);
    const paymentById = new Map(payments.map((payment) => [payment.id, payment]));
    const keyByName = new Map(keys.map((key) => [keyName(key.ownerId, key.key), key]));
    for (const command of commands) {
      const key = keyByName.get(keyName(command.ownerId, command.idempotencyKey));
      if (!key) continue;
      const payment = paymentById.get(key.paymentId);
      if (!payment) throw new Error(`idempotency key of missing payment ${key.paymentId}`);
      const same = Buffer.compare(key.requestDigest, command.requestDigest) === 0;
      const seen = seenBy(command, payment, (id) => ownerById.get(id));
      outcomes.set(command.paymentId, same ? replay(command, seen) : reused(command, payment));
    }
  };
}

/** The owners of the payments' accounts, by id, unless nobody needs them. */
async function ownersOf(
  em: EntityManager,
  commands: readonly PaymentCommand[],
  payments: readonly PaymentRow[],
): Promise<ReadonlyMap<string, string>> {
  if (commands.every((command) => command.isAdmin)) return new Map();
  const ids = payments.flatMap((payment) => [payment.debtorAccountId, payment.creditorAccountId]);
  const fields = ["id", "ownerId"] as const;
  const accounts = await em.find(AccountEntity, { id: { $in: [...new Set(ids)] } }, { fields });
  return new Map(accounts.map((account) => [account.id, account.ownerId]));
}

function replay(command: PaymentCommand, seen: SeenPayment): CommitOutcome {
  if (!seen.asDebtor) return { kind: "refused", error: debtorNotFound() };
  return { kind: "stored", ...seen, replayed: seen.payment.id !== command.paymentId };
}

function reused(command: PaymentCommand, payment: PaymentRow): CommitOutcome {
  const field = findDifference(command.request, payment) ?? "request";
  const description = "differs from the request that used this idempotency key first";
  const error = new ServiceError("IDEMPOTENCY_KEY_REUSED", {
    message: `${field} ${description}`,
    violations: [{ field, description }],
    metadata: { field },
  });
  return { kind: "refused", error };
}
