import type { AccountRow } from "../../src/accounts/account.entity.ts";
import { uuidv7TimeMs } from "../../src/kernel/ids.ts";
import type { PaymentRow } from "../../src/payments/payment.entity.ts";
import type {
  Amount,
  CreateCommand,
  DueCommand,
  KeyedCommand,
  PaymentCommand,
} from "../../src/payments/payment-command.ts";
import {
  nextAttemptMs,
  refusalOf,
  textOf,
  touch,
  type ModelAccount,
  type ModelPayment,
} from "./model-payment.ts";

/** What a command must come to: the payment's text, or the reason why it's refused. */
export type Expected = { readonly payment: string; readonly id: string } | { reason: string };

/**
 * The life of payments once more, as plainly as it can be said: sums on numbers, one command after
 * the other, no batches, no locks, no database. Accounts are all in one currency and never closed.
 */
export class PaymentModel {
  readonly accounts = new Map<string, ModelAccount>();
  readonly payments = new Map<string, ModelPayment>();
  readonly #keys = new Map<string, { asked: string; id: string }>();

  open(account: AccountRow): void {
    this.accounts.set(account.id, {
      ownerId: account.ownerId,
      overdraftMinor: account.overdraftMode === "UNBOUNDED" ? 10n ** 17n : 0n,
      postedMinor: account.postedMinor,
      heldMinor: 0n,
      frozen: false,
      timeMs: account.updateTime.getTime(),
    });
  }

  setFrozen(id: string, frozen: boolean, nowMs: number): void {
    const account = this.accounts.get(id)!;
    Object.assign(account, { frozen, timeMs: Math.max(account.timeMs, nowMs) });
  }

  /** Runs a command. `told` has the next attempt's time if there is one: how it's drawn is open. */
  run(command: PaymentCommand, nowMs: number, told: PaymentRow | undefined): Expected {
    if (command.kind === "due") return this.#due(command, nowMs, told);
    const name = `${command.ownerId} ${command.idempotencyKey}`;
    const asked = JSON.stringify(command.asked);
    const before = this.#keys.get(name);
    if (before) {
      if (before.asked !== asked) return { reason: "IDEMPOTENCY_KEY_REUSED" };
      // Told as it is now, which may be later than in this order.
      return { payment: told ? textOf(told) : "", id: before.id };
    }
    const done = this.#first(command, nowMs, told);
    if ("id" in done) this.#keys.set(name, { asked, id: done.id });
    return done;
  }

  #first(command: KeyedCommand, nowMs: number, told: PaymentRow | undefined): Expected {
    if (command.kind === "create") return this.#create(command, nowMs, told);
    const payment = this.payments.get(command.target.id)!;
    const debtor = this.accounts.get(payment.debtor)!;
    const creditor = this.accounts.get(payment.creditor)!;
    const isDebtor = command.isAdmin || debtor.ownerId === command.ownerId;
    const isCreditor =
      command.isAdmin || (creditor.ownerId === command.ownerId && payment.reason === null);
    if (!isDebtor && !isCreditor) return { reason: "PAYMENT_NOT_FOUND" };
    const timeMs = Math.max(nowMs, debtor.timeMs, creditor.timeMs, payment.timeMs);
    const { id } = command.target;
    if (command.kind === "refund") return this.#refund(command, payment, isCreditor, timeMs, told);
    const isTheirs =
      command.kind === "retry" ? !isDebtor : payment.status === "HELD" && !isCreditor;
    if (command.kind !== "capture" && isTheirs) return { reason: "PAYMENT_NOT_FOUND" };
    const refused = refusalOf(command.kind, payment, timeMs);
    if (refused) return { reason: refused };
    if (command.kind === "cancel") return this.#end(id, payment, "CANCELLED", timeMs);
    if (command.kind === "capture") return this.#capture(command, payment, isCreditor, timeMs);
    if (payment.status === "PENDING") return this.#attempt(id, payment, timeMs, told);
    if (payment.refundOf) return { reason: "PAYMENT_IS_REFUND" };
    if (payment.retriedBy) return { reason: "PAYMENT_ALREADY_RETRIED" };
    payment.retriedBy = command.id;
    touch(payment, timeMs);
    const expireMs =
      payment.expireMs !== null && payment.expireMs > timeMs ? payment.expireMs : null;
    return this.#new(command.id, { ...payment, expireMs }, timeMs, told);
  }

  #create(command: CreateCommand, nowMs: number, told: PaymentRow | undefined): Expected {
    const { request } = command;
    const debtor = this.accounts.get(request.debtorAccountId)!;
    const creditor = this.accounts.get(request.creditorAccountId)!;
    const timeMs = Math.max(nowMs, debtor.timeMs, creditor.timeMs);
    const expireMs = request.expireTime?.getTime() ?? null;
    if (expireMs !== null && expireMs <= timeMs) return { reason: "EXPIRE_TIME_PASSED" };
    if (!command.isAdmin && debtor.ownerId !== command.ownerId) {
      return { reason: "ACCOUNT_NOT_FOUND" };
    }
    const { debtorAccountId, creditorAccountId, amountMinor, holdDurationMs: holdMs } = request;
    const sides = { debtor: debtorAccountId, creditor: creditorAccountId, refundOf: null };
    const made = { ...sides, amountMinor, holdMs, policy: request.retryPolicy, expireMs };
    return this.#new(command.id, made, timeMs, told);
  }

  #new(
    id: string,
    made: Pick<
      ModelPayment,
      "debtor" | "creditor" | "amountMinor" | "holdMs" | "policy" | "refundOf" | "expireMs"
    >,
    timeMs: number,
    told: PaymentRow | undefined,
  ): Expected {
    const isOpen = made.holdMs !== null || made.policy !== null;
    const dayMs = made.policy ? 86_400_000 : 0;
    const payment: ModelPayment = {
      ...made,
      expireMs: made.expireMs ?? (isOpen ? timeMs + dayMs + (made.holdMs ?? 0) : null),
      status: "PENDING",
      reason: null,
      sequence: 0,
      capturedMinor: 0n,
      refundedMinor: 0n,
      retriedBy: null,
      attempts: 0,
      timeMs: uuidv7TimeMs(id)!,
      nextMs: null,
    };
    this.payments.set(id, payment);
    return this.#attempt(id, payment, timeMs, told);
  }

  #attempt(
    id: string,
    payment: ModelPayment,
    timeMs: number,
    told: PaymentRow | undefined,
  ): Expected {
    const debtor = this.accounts.get(payment.debtor)!;
    const creditor = this.accounts.get(payment.creditor)!;
    const { amountMinor, policy, holdMs } = payment;
    touch(payment, timeMs);
    if (policy) payment.attempts++;
    payment.nextMs = null;
    payment.reason = debtor.frozen || creditor.frozen ? "ACCOUNT_FROZEN" : null;
    const free = debtor.postedMinor - debtor.heldMinor + debtor.overdraftMinor;
    if (!payment.reason && free < amountMinor) payment.reason = "INSUFFICIENT_FUNDS";
    if (payment.reason) {
      payment.status = policy && payment.attempts < policy.maxAttempts ? "PENDING" : "REJECTED";
      if (payment.status === "PENDING") payment.nextMs = nextAttemptMs(payment, timeMs, told);
    } else if (holdMs !== null) {
      payment.status = "HELD";
      payment.expireMs = Math.min(payment.expireMs!, timeMs + holdMs);
      debtor.heldMinor += amountMinor;
      debtor.timeMs = timeMs;
    } else {
      payment.status = "SETTLED";
      this.#move(payment, amountMinor, timeMs);
    }
    return { payment: textOf(payment), id };
  }

  #move(payment: ModelPayment, amountMinor: bigint, timeMs: number): void {
    payment.capturedMinor += amountMinor;
    const debtor = this.accounts.get(payment.debtor)!;
    const creditor = this.accounts.get(payment.creditor)!;
    debtor.postedMinor -= amountMinor;
    creditor.postedMinor += amountMinor;
    for (const account of [debtor, creditor]) account.timeMs = timeMs;
  }

  #capture(
    command: { target: { id: string }; amount: Amount | undefined; final: boolean },
    payment: ModelPayment,
    isCreditor: boolean,
    timeMs: number,
  ): Expected {
    const { amount, final } = command;
    const debtor = this.accounts.get(payment.debtor)!;
    const left = payment.amountMinor - payment.capturedMinor;
    const taken = amount?.amountMinor ?? left;
    if (taken > left) return { reason: "CAPTURE_EXCEEDS_HOLD" };
    if (!isCreditor && final && taken < left) return { reason: "CAPTURE_WOULD_RELEASE" };
    if (debtor.frozen || this.accounts.get(payment.creditor)!.frozen) {
      return { reason: "CAPTURE_DECLINED" };
    }
    debtor.heldMinor -= final ? left : taken;
    this.#move(payment, taken, timeMs);
    touch(payment, timeMs);
    if (final || taken === left) payment.status = "SETTLED";
    return { payment: textOf(payment), id: command.target.id };
  }

  #refund(
    command: { id: string; amount: Amount | undefined; target: { id: string } },
    payment: ModelPayment,
    isCreditor: boolean,
    timeMs: number,
    told: PaymentRow | undefined,
  ): Expected {
    if (!isCreditor) return { reason: "PAYMENT_NOT_FOUND" };
    if (payment.refundOf) return { reason: "PAYMENT_IS_REFUND" };
    const refused = refusalOf("refund", payment, 0);
    if (refused) return { reason: refused };
    if (payment.capturedMinor === 0n) return { reason: "PAYMENT_NOT_CAPTURED" };
    const left = payment.capturedMinor - payment.refundedMinor;
    const amountMinor = command.amount?.amountMinor ?? left;
    if (amountMinor > left || left === 0n) return { reason: "REFUND_EXCEEDS_CAPTURED" };
    const back = {
      debtor: payment.creditor,
      creditor: payment.debtor,
      refundOf: command.target.id,
    };
    const made = { ...back, amountMinor, holdMs: null, policy: null, expireMs: null };
    const refund = this.#new(command.id, made, timeMs, told);
    if (this.payments.get(command.id)!.status === "SETTLED") {
      payment.refundedMinor += amountMinor;
      touch(payment, timeMs);
    }
    return refund;
  }

  #end(id: string, payment: ModelPayment, how: "CANCELLED" | "EXPIRED", timeMs: number): Expected {
    if (payment.status === "HELD") {
      const debtor = this.accounts.get(payment.debtor)!;
      debtor.heldMinor -= payment.amountMinor - payment.capturedMinor;
      debtor.timeMs = timeMs;
    }
    payment.status = payment.capturedMinor > 0n ? "SETTLED" : how;
    touch(payment, timeMs);
    return { payment: textOf(payment), id };
  }

  #due(command: DueCommand, nowMs: number, told: PaymentRow | undefined): Expected {
    const { id } = command.target;
    const payment = this.payments.get(id)!;
    const isOpen = payment.status === "PENDING" || payment.status === "HELD";
    if (!isOpen || payment.sequence !== command.sequence) return { payment: textOf(payment), id };
    const sides = [payment.debtor, payment.creditor].map((side) => this.accounts.get(side)!.timeMs);
    const timeMs = Math.max(nowMs, ...sides, payment.timeMs);
    if (payment.expireMs! <= nowMs) return this.#end(id, payment, "EXPIRED", timeMs);
    const isDue = payment.nextMs !== null && payment.nextMs <= nowMs && payment.expireMs! > timeMs;
    return isDue ? this.#attempt(id, payment, timeMs, told) : { payment: textOf(payment), id };
  }
}
