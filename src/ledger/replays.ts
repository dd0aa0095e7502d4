import type { EntityManager, MikroORM } from "@mikro-orm/postgresql";
import { AccountEntity } from "../accounts/account.entity.ts";
import { ServiceError } from "../kernel/errors.ts";
import { uuidv7TimeMs } from "../kernel/ids.ts";
import {
  IdempotencyKeyEntity,
  type IdempotencyKeyRow,
} from "../payments/idempotency-key.entity.ts";
import {
  askedOfCreate,
  findDifference,
  keyName,
  type KeyedCommand,
} from "../payments/payment-command.ts";
import { PaymentEntity, type PaymentRow } from "../payments/payment.entity.ts";
import { seenBy, type Asked, type SeenPayment } from "../payments/payment.ts";
import { amongRows } from "../platform/among-rows.ts";
import type { CommitOutcome } from "./commit-batch.ts";
import { debtorNotFound } from "./decide-payment.ts";
import type { Outcomes } from "./decide-units.ts";

/** Notes what is stored for keys that were taken before. */
export type FindReplays = (commands: readonly KeyedCommand[], outcomes: Outcomes) => Promise<void>;

/**
 * For each command: the payment of its key as it is now, or a refusal if the key was used for
 * another request; nothing if nobody holds the key. Not found if the payment isn't the caller's: an
 * administrator's key of the same owner made it. A key under the command's own id is one that it
 * took itself in an attempt whose answer was lost: not a replay.
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
      amongRows({ create_time: "timestamptz", id: "uuid" }, keys.flatMap(paymentKeys)),
    );
    const ownerById = await ownersOf(em, commands, payments);
    const paymentById = new Map(payments.map((payment) => [payment.id, payment]));
    const keyByName = new Map(keys.map((key) => [keyName(key.ownerId, key.key), key]));
    for (const command of commands) {
      const key = keyByName.get(keyName(command.ownerId, command.idempotencyKey));
      if (!key) continue;
      // What a command made on the way, otherwise what it was about.
      const made = key.commandId === null ? undefined : paymentById.get(key.commandId);
      const payment = made ?? paymentById.get(key.paymentId);
      if (!payment) throw new Error(`idempotency key of missing payment ${key.paymentId}`);
      const same = Buffer.compare(key.requestDigest, command.requestDigest) === 0;
      const replayed = (key.commandId ?? key.paymentId) !== command.id;
      const seen = seenBy(command, payment, (id) => ownerById.get(id));
      outcomes.set(
        command.id,
        same ? replay(command, seen, replayed) : reused(command, askedBefore(key, payment)),
      );
    }
  };
}

/** The payments that a key may lead to. */
function paymentKeys({ paymentId, createTime, commandId }: IdempotencyKeyRow) {
  const about = { create_time: createTime, id: paymentId };
  if (commandId === null) return [about];
  return [about, { create_time: new Date(uuidv7TimeMs(commandId) ?? 0), id: commandId }];
}

/** The owners of the payments' accounts, by id, unless nobody needs them. */
async function ownersOf(
  em: EntityManager,
  commands: readonly KeyedCommand[],
  payments: readonly PaymentRow[],
): Promise<ReadonlyMap<string, string>> {
  if (commands.every((command) => command.isAdmin)) return new Map();
  const ids = payments.flatMap((payment) => [payment.debtorAccountId, payment.creditorAccountId]);
  const fields = ["id", "ownerId"] as const;
  const accounts = await em.find(AccountEntity, { id: { $in: [...new Set(ids)] } }, { fields });
  return new Map(accounts.map((account) => [account.id, account.ownerId]));
}

function replay(command: KeyedCommand, seen: SeenPayment, replayed: boolean): CommitOutcome {
  if (command.kind === "create" && !seen.asDebtor) {
    return { kind: "refused", error: debtorNotFound() };
  }
  if (!seen.asDebtor && !seen.asCreditor) {
    return { kind: "refused", error: new ServiceError("PAYMENT_NOT_FOUND") };
  }
  return { kind: "stored", ...seen, replayed };
}

function askedBefore(key: IdempotencyKeyRow, payment: PaymentRow): Asked {
  return key.request ?? askedOfCreate(payment);
}

function reused(command: KeyedCommand, before: Asked): CommitOutcome {
  const field = findDifference(command.asked, before) ?? "request";
  const description = "differs from the request that used this idempotency key first";
  const error = new ServiceError("IDEMPOTENCY_KEY_REUSED", {
    message: `${field} ${description}`,
    violations: [{ field, description }],
    metadata: { field },
  });
  return { kind: "refused", error };
}
