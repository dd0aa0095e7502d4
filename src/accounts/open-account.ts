import { UniqueConstraintViolationException, type MikroORM } from "@mikro-orm/postgresql";
import type { Call } from "../kernel/call.ts";
import type { DatabaseClock } from "../kernel/clock.ts";
import { isCurrency } from "../kernel/currency.ts";
import { invalidField, ServiceError } from "../kernel/errors.ts";
import { uuidv7 } from "../kernel/ids.ts";
import { assertAdmin } from "../kernel/principal.ts";
import { AccountEntity, type AccountRow } from "./account.entity.ts";
import { checkOverdraft } from "./account-checks.ts";
import type { OverdraftMode } from "./account.ts";

/** What a new account is to be. */
export interface OpenAccount {
  /** The caller's own id; undefined: the service makes one. */
  readonly accountId: string | undefined;
  /** Undefined: the caller's own. */
  readonly ownerId: string | undefined;
  readonly currencyCode: string;
  readonly overdraftMode: OverdraftMode;
  readonly overdraftLimitMinor: bigint;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Opens an account. */
export type OpenAccountUseCase = (call: Call, open: OpenAccount) => Promise<AccountRow>;

/**
 * Opens an account with a zero balance. An id that is there already returns its account if owner
 * and currency are the same, however often it's asked. Throws INVALID_FIELD, MISSING_SCOPE (another
 * owner or an overdraft without `admin`), ACCOUNT_ID_TAKEN.
 */
export function createOpenAccount(deps: {
  readonly orm: MikroORM;
  readonly databaseClock: DatabaseClock;
}): OpenAccountUseCase {
  return async ({ principal }, open) => {
    if (!isCurrency(open.currencyCode)) {
      throw invalidField("currency_code", "must be an ISO 4217 code of money in use");
    }
    checkOverdraft(open.overdraftMode, open.overdraftLimitMinor);
    const ownerId = open.ownerId ?? principal.ownerId;
    const forAdmin = ownerId !== principal.ownerId || open.overdraftMode !== "NONE";
    if (forAdmin) assertAdmin(principal);
    const nowMs = deps.databaseClock.now();
    const account = {
      ...open,
      id: open.accountId ?? uuidv7(nowMs),
      ownerId,
      postedMinor: 0n,
      heldMinor: 0n,
      status: "OPEN" as const,
      version: 1,
      entrySequence: 0,
      createTime: new Date(nowMs),
      updateTime: new Date(nowMs),
    };
    const em = deps.orm.em.fork();
    try {
      const { accountId: _, ...row } = account;
      const created = em.create(AccountEntity, row);
      await em.flush();
      return created;
    } catch (error) {
      if (!(error instanceof UniqueConstraintViolationException)) throw error;
      return existing(deps.orm, account);
    }
  };
}

async function existing(
  orm: MikroORM,
  wanted: { id: string; ownerId: string; currencyCode: string },
): Promise<AccountRow> {
  const account = await orm.em.fork().findOne(AccountEntity, { id: wanted.id });
  const same = account?.ownerId === wanted.ownerId && account.currencyCode === wanted.currencyCode;
  if (!account || !same) throw new ServiceError("ACCOUNT_ID_TAKEN");
  return account;
}
