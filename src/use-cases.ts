import { createFindAccount } from "./accounts/find-account.ts";
import type { HotAccounts } from "./accounts/hot-accounts.ts";
import { createListEntries } from "./accounts/list-entries.ts";
import { createOpenAccount } from "./accounts/open-account.ts";
import { createUpdateAccount } from "./accounts/update-account.ts";
import { createAccountWatchers } from "./accounts/watch-account.ts";
import type { Config } from "./config.ts";
import { createDatabaseClock, systemClock } from "./kernel/clock.ts";
import { createManageKeys } from "./keys/manage-keys.ts";
import { createCommitBatch } from "./ledger/commit-batch.ts";
import { createGroupCommit } from "./ledger/group-commit.ts";
import type { BatchObserver } from "./ledger/lane.ts";
import { createVerifyLedger } from "./ledger/verify.ts";
import { createBatchCreatePayments } from "./payments/batch-create-payments.ts";
import { createChangePayment } from "./payments/change-payment.ts";
import { createCreatePayment } from "./payments/create-payment.ts";
import { createFindPayment } from "./payments/find-payment.ts";
import { encodePaymentEvent } from "./payments/payment.event.ts";
import { createPaymentWatchers } from "./payments/watch-payment.ts";
import type { Database } from "./platform/database.ts";
import type { Logger } from "./platform/logger.ts";
import { createUnitOfWork } from "./platform/unit-of-work.ts";
import { createRunDuePayments } from "./scheduler/due-payments.ts";
import { createFindDeliveries } from "./webhooks/find-deliveries.ts";
import { createManageWebhooks } from "./webhooks/manage-webhooks.ts";

/** The second is for large batches, see below; more have nothing to win from two cores. */
export const COMMIT_LANES = 2;
/**
 * A transaction has a cost of its own: below this two of half the size cost more than they gain by
 * keeping this process and PostgreSQL busy at the same time.
 */
const MIN_BATCH_BESIDE = 64;

/** The ledger and all that callers can ask of it. */
export type UseCases = ReturnType<typeof createUseCases>;

/** Makes them on an open database. */
export function createUseCases(
  config: Config,
  database: Database,
  ledgerParts: HotAccounts & { readonly observe: BatchObserver; readonly logger: Logger },
) {
  const { orm } = database;
  const unitOfWork = createUnitOfWork(database);
  const databaseClock = createDatabaseClock(systemClock);
  const ledger = createGroupCommit({
    commit: createCommitBatch({ orm, unitOfWork, databaseClock, encodeEvent: encodePaymentEvent }),
    clock: systemClock,
    ...ledgerParts,
    maxBatch: config.COMMIT_MAX_BATCH,
    maxQueue: config.COMMIT_MAX_QUEUE,
    lanes: COMMIT_LANES,
    minBatchBeside: MIN_BATCH_BESIDE,
  });
  const createPayment = createCreatePayment({ orm, ledger, databaseClock });
  const findPayment = createFindPayment({ orm });
  const watched = { database, findPayment, clock: systemClock, logger: ledgerParts.logger };
  return {
    ...createPaymentWatchers(watched),
    ...createAccountWatchers(watched),
    ledger,
    createPayment,
    batchCreatePayments: createBatchCreatePayments({ createPayment, ledger, databaseClock }),
    changePayment: createChangePayment({ orm, ledger, databaseClock }),
    findPayment,
    runDuePayments: createRunDuePayments({ orm, ledger, databaseClock }),
    openAccount: createOpenAccount({ orm, databaseClock }),
    updateAccount: createUpdateAccount({ unitOfWork, databaseClock }),
    findAccount: createFindAccount({ orm, databaseClock }),
    listEntries: createListEntries({ orm }),
    manageKeys: createManageKeys({ orm, unitOfWork, databaseClock }),
    manageWebhooks: createManageWebhooks({
      orm,
      unitOfWork,
      allowPrivate: config.WEBHOOK_ALLOW_PRIVATE,
    }),
    findDeliveries: createFindDeliveries({ orm }),
    verifyLedger: createVerifyLedger({ unitOfWork }),
  };
}
