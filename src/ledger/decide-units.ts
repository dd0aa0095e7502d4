import { ServiceError } from "../kernel/errors.ts";
import type { PaymentRow } from "../payments/payment.entity.ts";
import type { CommandUnit, PaymentCommand } from "../payments/payment-command.ts";
import { seenBy } from "../payments/payment.ts";
import type { CommitOutcome } from "./commit-batch.ts";
import {
  decideCancel,
  decideCapture,
  decideDue,
  decideRefund,
  decideRetry,
} from "./decide-change.ts";
import { decidePayment } from "./decide-payment.ts";
import { adopt, branch, type Posting } from "./posting.ts";

/** What became of each command so far, by its id. */
export type Outcomes = Map<string, CommitOutcome>;

/**
 * Decides all units in order and notes their outcomes. `fresh` has the ids of commands whose
 * keys this transaction has taken, or that have none; outcomes that are there already are replays, looked up before.
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
        if (fresh.has(command.id)) {
          outcomes.set(command.id, decide(posting, command, now));
        }
      }
  }
}

function decide(posting: Posting, command: PaymentCommand, now: Date): CommitOutcome {
  posting.traceparent = command.kind === "due" ? null : command.traceparent;
  try {
    const payment = decideOne(posting, command, now);
    const viewer = command.kind === "due" ? SCHEDULER : command;
    const seen = seenBy(viewer, payment, (id) => posting.accounts.get(id)?.ownerId);
    return { kind: "stored", ...seen, replayed: false };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return { kind: "refused", error };
  }
}

/** What is due, nobody asked for. */
const SCHEDULER = { ownerId: "", isAdmin: true };

function decideOne(posting: Posting, command: PaymentCommand, now: Date): PaymentRow {
  switch (command.kind) {
    case "create":
      return decidePayment(posting, command, now);
    case "capture":
      return decideCapture(posting, command, now);
    case "cancel":
      return decideCancel(posting, command, now);
    case "refund":
      return decideRefund(posting, command, now);
    case "retry":
      return decideRetry(posting, command, now);
    default:
      return decideDue(posting, command, now);
  }
}

/**
 * All are booked or held, or nothing of it counts: the culprits say why, the others BATCH_NOT_APPLIED.
 * One that is all replays was applied if it could have been: what has become of a hold since then
 * changes nothing of that.
 */
function decideAtomic(
  commands: readonly PaymentCommand[],
  posting: Posting,
  now: Date,
  fresh: ReadonlySet<string>,
  outcomes: Outcomes,
): void {
  const isNew = (command: PaymentCommand) => !outcomes.has(command.id);
  if (commands.some((command) => isNew(command) && !fresh.has(command.id))) {
    for (const command of commands) outcomes.set(command.id, { kind: "again" });
    return;
  }
  const trial = branch(posting);
  const results = commands.map((command) =>
    isNew(command) ? decide(trial, command, now) : outcomes.get(command.id)!,
  );
  const applied = results.every(commands.some(isNew) ? isDone : wasDone);
  if (applied) adopt(posting, trial);
  commands.forEach((command, i) => {
    const result = results[i]!;
    outcomes.set(command.id, applied ? result : notApplied(result));
  });
}

function isDone(outcome: CommitOutcome): boolean {
  if (outcome.kind !== "stored") return false;
  return outcome.payment.status === "SETTLED" || outcome.payment.status === "HELD";
}

/** True of what an atomic batch may have stored, whatever came later. */
function wasDone(outcome: CommitOutcome): boolean {
  if (outcome.kind !== "stored") return false;
  return outcome.payment.status !== "REJECTED" && outcome.payment.status !== "PENDING";
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
