import { randomUUID } from "node:crypto";
import { AccountEntity, type AccountRow } from "../../src/accounts/account.entity.ts";
import { createFindAccount } from "../../src/accounts/find-account.ts";
import { createListEntries } from "../../src/accounts/list-entries.ts";
import { createOpenAccount } from "../../src/accounts/open-account.ts";
import { createUpdateAccount } from "../../src/accounts/update-account.ts";
import type { Call } from "../../src/kernel/call.ts";
import { createDatabaseClock, systemClock, type DatabaseClock } from "../../src/kernel/clock.ts";
import type { Principal, Scope } from "../../src/kernel/principal.ts";
import type { Guards } from "../../src/ledger/batch-sql.ts";
import { processLock, type AccountLock } from "../../src/ledger/account-lock.ts";
import { createCommitBatch, type CommitBatch } from "../../src/ledger/commit-batch.ts";
import { createGroupCommit } from "../../src/ledger/group-commit.ts";
import { createHeat, type Heat } from "../../src/ledger/heat.ts";
import { createVerifyLedger } from "../../src/ledger/verify.ts";
import { createBatchCreatePayments } from "../../src/payments/batch-create-payments.ts";
import { createCreatePayment, type CreatePayment } from "../../src/payments/create-payment.ts";
import { createChangePayment } from "../../src/payments/change-payment.ts";
import { createFindPayment } from "../../src/payments/find-payment.ts";
import { encodePaymentEvent } from "../../src/payments/payment.event.ts";
import type { PaymentRequest } from "../../src/payments/payment-command.ts";
import { migrate, openDatabase } from "../../src/platform/database.ts";
import { createUnitOfWork } from "../../src/platform/unit-of-work.ts";
import { createRunDuePayments } from "../../src/scheduler/due-payments.ts";
import { ensurePartitions } from "../../src/scheduler/partitions.ts";
import { entities } from "../../src/schema.ts";
import { testRequest } from "./commands.ts";
import { createTestDatabase, type TestDatabase } from "./postgres.ts";

/** A migrated database of a test's own. */
export function createMigratedDatabase(): Promise<TestDatabase> {
  return createTestDatabase({ name: "migrated", prepare: prepareDatabase });
}

/** Migrates an empty database and makes its partitions. */
export async function prepareDatabase(url: string): Promise<void> {
  const database = await openDatabase({ url, entities, poolSize: 2, commitPoolSize: 2 });
  await migrate(database);
  await ensurePartitions(database);
  await database.close();
}

/** What a ledger under test is to differ in. */
export interface TestLedgerOptions {
  readonly guards?: Guards;
  readonly lanes?: number;
  readonly maxBatch?: number;
  readonly maxQueue?: number;
  readonly heat?: Heat;
  readonly lock?: AccountLock;
  readonly databaseClock?: DatabaseClock;
  /** Stands before the transaction, to see what goes through it. */
  readonly watchCommit?: (commit: CommitBatch) => CommitBatch;
}

/** The ledger and its use cases on a database, as one process has them. */
export type TestLedger = Awaited<ReturnType<typeof openLedger>>;

/** Opens the ledger on a migrated database. */
export async function openLedger(url: string, options: TestLedgerOptions = {}) {
  const lanes = options.lanes ?? 1;
  const database = await openDatabase({ url, entities, poolSize: 5, commitPoolSize: lanes + 1 });
  const { orm } = database;
  const heat = options.heat ?? createHeat(systemClock);
  let conflicts = 0;
  const unitOfWork = createUnitOfWork(database);
  const databaseClock = options.databaseClock ?? createDatabaseClock(systemClock);
  const commitBatch = createCommitBatch({
    orm,
    unitOfWork,
    databaseClock,
    encodeEvent: encodePaymentEvent,
    ...(options.guards && { guards: options.guards }),
  });
  const commit = options.watchCommit?.(commitBatch) ?? commitBatch;
  const ledger = createGroupCommit({
    commit,
    clock: systemClock,
    heat,
    lock: options.lock ?? processLock,
    onConflict: () => conflicts++,
    maxBatch: options.maxBatch ?? 500,
    maxQueue: options.maxQueue ?? 10_000,
    lanes,
  });
  const runDuePayments = createRunDuePayments({ orm, ledger, databaseClock });
  const createPayment = createCreatePayment({ orm, ledger, databaseClock });
  const batchCreatePayments = createBatchCreatePayments({ createPayment, ledger, databaseClock });
  const openAccount = createOpenAccount({ orm, databaseClock });
  const verify = createVerifyLedger({ unitOfWork });

  async function open(settings: Partial<AccountRow> = {}): Promise<AccountRow> {
    return openAccount(callAs("admin"), {
      accountId: settings.id,
      ownerId: settings.ownerId ?? "alice",
      currencyCode: settings.currencyCode ?? "EUR",
      overdraftMode: settings.overdraftMode ?? "NONE",
      overdraftLimitMinor: settings.overdraftLimitMinor ?? 0n,
      metadata: settings.metadata ?? {},
    });
  }

  function pay(request: TestPayment, call: Call = callAs("admin")) {
    return createPayment(call, toCreatePayment(request));
  }

  return {
    database,
    orm,
    unitOfWork,
    databaseClock,
    commit,
    ledger,
    heat,
    /** How many transactions lost a race. */
    get conflicts() {
      return conflicts;
    },
    createPayment,
    payTogether: (requests: readonly TestPayment[], call: Call = callAs("admin")) =>
      batchCreatePayments(call, requests.map(toCreatePayment), true),
    openAccount,
    updateAccount: createUpdateAccount({ unitOfWork, databaseClock }),
    findAccount: createFindAccount({ orm, databaseClock }),
    listEntries: createListEntries({ orm }),
    findPayment: createFindPayment({ orm }),
    changePayment: createChangePayment({ orm, ledger, databaseClock }),
    runDuePayments,
    runAllDue: async () => (await runDuePayments("expiries")) + (await runDuePayments("attempts")),
    open,
    pay,
    /** An account with money in it, from an unbounded account of its own. */
    async openFunded(amountMinor: bigint, settings: Partial<AccountRow> = {}) {
      const { currencyCode = "EUR" } = settings;
      const bank = await open({ ownerId: "bank", overdraftMode: "UNBOUNDED", currencyCode });
      const account = await open(settings);
      await pay({
        debtorAccountId: bank.id,
        creditorAccountId: account.id,
        amountMinor,
        currencyCode,
      });
      return account;
    },
    account: (id: string) => orm.em.fork().findOneOrFail(AccountEntity, { id }),
    verify: () => verify(callAs("admin").principal),
    async close() {
      await ledger.drain();
      await database.close();
    },
  };
}

/** A payment of a test, with what it doesn't care about left out. */
export type TestPayment = Pick<
  PaymentRequest,
  "debtorAccountId" | "creditorAccountId" | "amountMinor"
> &
  Partial<PaymentRequest> & { readonly idempotencyKey?: string; readonly validateOnly?: boolean };

function toCreatePayment(payment: TestPayment): CreatePayment {
  const { idempotencyKey = randomUUID(), validateOnly = false, ...given } = payment;
  return { idempotencyKey, validateOnly, request: testRequest(given) };
}

/** A call by an owner (or the administrator `admin`) with time enough. */
export function callAs(ownerId: string, timeoutMs = 30_000): Call {
  const scopes: Scope[] =
    ownerId === "admin"
      ? ["admin"]
      : ["accounts:read", "accounts:write", "payments:read", "payments:write"];
  const principal: Principal = { ownerId, scopes: new Set(scopes) };
  return { principal, deadlineMs: performance.now() + timeoutMs };
}
