import { Code, ConnectError } from "@connectrpc/connect";
import { expect } from "vitest";
import { PaymentStatus, type Payment } from "../../gen/instantpayment/v1/payment_pb.ts";

/** An account or payment that is there, as the model knows it. */
interface ModelPayment {
  readonly id: string;
  readonly debtor: string;
  readonly creditor: string;
  readonly isSettled: boolean;
}

/** What belongs to whom, kept beside the service from its answers. */
export interface OwnerModel {
  /** Account ids, in order of opening. */
  readonly accounts: readonly string[];
  readonly payments: readonly ModelPayment[];
  opened(accountId: string, ownerId: string): void;
  /** True for an administrator, and for the owner of the account. */
  owns(caller: string, accountId: string): boolean;
  /** True if the caller may see the payment. */
  sees(caller: string, payment: ModelPayment): boolean;
  /** Fails the test unless the caller may see just what is told of the payment. */
  expectView(caller: string, payment: Payment): void;
  /** A payment that the caller was told it made; fails the test if it wasn't the caller's to make. */
  paid(caller: string, payment: Payment): void;
  /** What is on the account by all payments that callers were told of. */
  balanceOf(accountId: string): bigint;
}

/** The caller who owns nothing and may do everything. */
export const ADMIN = "admin";

/** Makes an empty model. */
export function createOwnerModel(): OwnerModel {
  const ownerOf = new Map<string, string>();
  const accounts: string[] = [];
  const payments = new Map<string, ModelPayment>();
  const balances = new Map<string, bigint>();
  const owns: OwnerModel["owns"] = (caller, id) => caller === ADMIN || ownerOf.get(id) === caller;

  const model: OwnerModel = {
    accounts,
    get payments() {
      return [...payments.values()];
    },
    opened(accountId, ownerId) {
      ownerOf.set(accountId, ownerId);
      accounts.push(accountId);
    },
    owns,
    sees: (caller, { debtor, creditor, isSettled }) =>
      owns(caller, debtor) || (owns(caller, creditor) && isSettled),
    expectView(caller, payment) {
      const asDebtor = owns(caller, payment.debtorAccountId);
      const asCreditor = owns(caller, payment.creditorAccountId);
      const isSettled = payment.status === PaymentStatus.SETTLED;
      expect(asDebtor || (asCreditor && isSettled)).toBe(true);
      expect(payment.idempotencyKey !== "").toBe(asDebtor);
      expect(Object.keys(payment.metadata)).toHaveLength(asDebtor ? 1 : 0);
      expect(payment.debtorBalanceAfterMinor !== undefined).toBe(asDebtor && isSettled);
      expect(payment.creditorBalanceAfterMinor !== undefined).toBe(asCreditor && isSettled);
    },
    paid(caller, payment) {
      const { id, debtorAccountId: debtor, creditorAccountId: creditor } = payment;
      expect(owns(caller, debtor)).toBe(true);
      model.expectView(caller, payment);
      if (payments.has(id)) return;
      const isSettled = payment.status === PaymentStatus.SETTLED;
      payments.set(id, { id, debtor, creditor, isSettled });
      if (!isSettled) return;
      const { amountMinor } = payment.amount!;
      balances.set(debtor, (balances.get(debtor) ?? 0n) - amountMinor);
      balances.set(creditor, (balances.get(creditor) ?? 0n) + amountMinor);
    },
    balanceOf: (accountId) => balances.get(accountId) ?? 0n,
  };
  return model;
}

/** Fails the test unless the call is answered, or refused with the code. */
export async function expectAnswer<T>(
  call: Promise<T>,
  refusal: Code | undefined,
): Promise<T | undefined> {
  const answer = await call.then(
    (value) => ({ value, code: undefined }),
    (error: unknown) => ({ value: undefined, code: ConnectError.from(error).code }),
  );
  expect(answer.code && Code[answer.code]).toBe(refusal && Code[refusal]);
  return answer.value;
}
