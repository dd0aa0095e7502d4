import { LockMode } from "@mikro-orm/postgresql";
import type { Call } from "../kernel/call.ts";
import type { DatabaseClock } from "../kernel/clock.ts";
import { invalidField, ServiceError } from "../kernel/errors.ts";
import { assertAdmin, ownedBy, type Principal } from "../kernel/principal.ts";
import type { UnitOfWork } from "../platform/unit-of-work.ts";
import { checkOverdraft } from "./account-checks.ts";
import { AccountEntity, type AccountRow } from "./account.entity.ts";
import {
  isWithinLimit,
  statusChangeRefusal,
  type AccountStatus,
  type OverdraftMode,
} from "./account.ts";

/** What to change of an account; what is undefined stays. */
export interface UpdateAccount {
  readonly accountId: string;
  /** The version that the change is based on. */
  readonly version: number | undefined;
  readonly status: AccountStatus | undefined;
  readonly overdraftMode: OverdraftMode | undefined;
  readonly overdraftLimitMinor: bigint | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
}

/** Changes an account. */
export type UpdateAccountUseCase = (call: Call, update: UpdateAccount) => Promise<AccountRow>;

/**
 * Changes an account under its row lock, with its version in the WHERE: either all of the change
 * is made or none. Throws ACCOUNT_NOT_FOUND, MISSING_SCOPE (freezing, reopening and overdrafts are
 * an admin's), ACCOUNT_VERSION_MISMATCH, ACCOUNT_STATE_FORBIDS, INVALID_FIELD.
 */
export function createUpdateAccount(deps: {
  readonly unitOfWork: UnitOfWork;
  readonly databaseClock: DatabaseClock;
}): UpdateAccountUseCase {
  return ({ principal }, update) =>
    deps.unitOfWork.transaction(async (em) => {
      const account = await em.findOne(
        AccountEntity,
        { id: update.accountId, ...ownedBy(principal) },
        { lockMode: LockMode.PESSIMISTIC_WRITE },
      );
      if (!account) throw new ServiceError("ACCOUNT_NOT_FOUND");
      checkScope(principal, update);
      if (update.version !== undefined && update.version !== account.version) {
        throw new ServiceError("ACCOUNT_VERSION_MISMATCH", {
          metadata: { version: String(account.version) },
        });
      }
      apply(account, update);
      const now = new Date(deps.databaseClock.now());
      if (now > account.updateTime) account.updateTime = now;
      await em.flush();
      return account;
    });
}

function checkScope(principal: Principal, update: UpdateAccount): void {
  const forAdmin =
    update.overdraftMode !== undefined ||
    update.overdraftLimitMinor !== undefined ||
    update.status === "FROZEN" ||
    update.status === "OPEN";
  if (forAdmin) assertAdmin(principal);
}

function apply(account: AccountRow, update: UpdateAccount): void {
  if (account.status === "CLOSED" && update.status !== "CLOSED")
    forbid("A closed account stays closed.");
  if (update.overdraftMode !== undefined || update.overdraftLimitMinor !== undefined) {
    applyOverdraft(account, update);
  }
  if (update.status) {
    const refusal = statusChangeRefusal(account, update.status);
    if (refusal) forbid(refusal);
    account.status = update.status;
  }
  if (update.metadata) account.metadata = { ...update.metadata };
}

function applyOverdraft(account: AccountRow, update: UpdateAccount): void {
  const mode = update.overdraftMode ?? account.overdraftMode;
  const keptLimit = mode === "LIMITED" ? account.overdraftLimitMinor : 0n;
  const limitMinor = update.overdraftLimitMinor ?? keptLimit;
  checkOverdraft(mode, limitMinor);
  account.overdraftMode = mode;
  account.overdraftLimitMinor = limitMinor;
  if (!isWithinLimit(account)) forbid("The account is below the new limit.");
}

function forbid(message: string): never {
  throw new ServiceError("ACCOUNT_STATE_FORBIDS", { message });
}

/** Throws INVALID_FIELD if a request asks to set metadata and to clear it. */
export function checkMetadataChange(pairs: number, clear: boolean): void {
  if (clear && pairs > 0) throw invalidField("clear_metadata", "is not for use with metadata");
}
