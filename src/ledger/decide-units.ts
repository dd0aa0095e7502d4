import { ServiceError } from "../kernel/errors.ts";
import type { CommandUnit, PaymentCommand } from "../payments/payment-command.ts";
import { seenBy } from "../payments/payment.ts";
import type { CommitOutcome } from "./commit-batch.ts";
import { adopt, branch, decidePayment, type Posting } from "./posting.ts";

/** What became of each command so far, by its payment id. */
export type Outcomes = Map<string, CommitOutcome>;

/**
 * Decides all units in order and notes their outcomes. `fresh` has the payment ids whose keys this
 * transaction has taken; outcomes that are there already are replays, looked up before.
 */
export function decideUnits(
  units: readonly CommandUnit[],
  posting: Posting,
  now: Date,
  fresh: ReadonlySet<string>,
  outcomes: Outcomes,
): void {
  for (const unit of units) {
    if (unit.atomic) decideAtomic(unit.commands, posting, now, fresh, outcomes);
    else
      for (const command of unit.commands) {
        if (fresh.has(command.paymentId)) {
          outcomes.set(command.paymentId, decide(posting, command, now));
        }
      }
  }
}

function decide(posting: Posting, command: PaymentCommand, now: Date): CommitOutcome {
  try {
    const payment = decidePayment(posting, command, now);
    const seen = seenBy(command, payment, (id) => posting.accounts.get(id)?.ownerId);
    return { kind: "stored", ...seen, replayed: false };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return { kind: "refused", error };
  }
}

/** All settle, or nothing of it counts: the culprits say why, the others BATCH_NOT_APPLIED. */
function decideAtomic(
  commands: readonly PaymentCommand[],
  posting: Posting,
  now: Date,
  fresh: ReadonlySet<string>,
  outcomes: Outcomes,
): void {
  const isNew = (command: PaymentCommand) => !outcomes.has(command.paymentId);
  if (commands.some((command) => isNew(command) && !fresh.has(command.paymentId))) {
    for (const command of commands) outcomes.set(command.paymentId, { kind: "again" });
    return;
  }
  const trial = branch(posting);
  const results = commands.map((command) =>
    isNew(command) ? decide(trial, command, now) : outcomes.get(command.paymentId)!,
  );
  const applied = results.every(isSettled);
  if (applied) adopt(posting, trial);
  commands.forEach((command, i) => {
    const result = results[i]!;
    outcomes.set(command.paymentId, applied ? result : notApplied(result));
  });
}

function isSettled(outcome: CommitOutcome): boolean {
  return outcome.kind === "stored" && outcome.payment.status === "SETTLED";
}

function notApplied(outcome: CommitOutcome): CommitOutcome {
  if (outcome.kind !== "stored") return outcome;
  const { reason, reasonDetail } = outcome.payment;
  if (!reason) return { kind: "refused", error: new ServiceError("BATCH_NOT_APPLIED") };
  const error = new ServiceError("PAYMENT_DECLINED", {
    message: reasonDetail ?? reason,
    metadata: { payment_reason: reason },
  });
  return { kind: "refused", error };
}
