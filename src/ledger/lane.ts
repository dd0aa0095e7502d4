import type { Clock } from "../kernel/clock.ts";
import { ServiceError } from "../kernel/errors.ts";
import { accountsOf, type CommandUnit, type PaymentCommand } from "../payments/payment-command.ts";
import type { CommitBatch, CommitOutcome } from "./commit-batch.ts";
import { runBatch } from "./run-batch.ts";

/** A unit that waits for a transaction, and for whom. */
export interface Waiting extends CommandUnit {
  /** Past it, the unit isn't begun; on `Clock.monotonicMs`. */
  readonly deadlineMs: number;
  readonly resolve: (outcomes: readonly CommitOutcome[]) => void;
  readonly reject: (error: ServiceError) => void;
}

/** Units that go through the ledger batch by batch, in the order in which they came. */
export interface Lane {
  push(unit: Waiting): void;
  /** How many commands wait. */
  readonly waiting: number;
  /** True if nothing waits and nothing runs. */
  readonly isIdle: boolean;
}

/** What a lane needs. */
export interface LaneDeps {
  readonly commit: CommitBatch;
  readonly clock: Clock;
  /** The most commands of one transaction. */
  readonly maxBatch: number;
  /** The most transactions at once, of which no two have an account in common. */
  readonly width: number;
  /** The least commands for which a transaction is begun beside one that runs; 1 by default. */
  readonly minBatchBeside?: number;
  /** Told of every batch. */
  readonly observe?: BatchObserver;
  /** Told whenever it has become idle. */
  readonly onIdle: () => void;
  /**
   * Opens the way for what waits; what comes meanwhile goes along if the pass admits it. Never
   * throws. Without it the way is always open.
   */
  readonly enter?: (queue: readonly Waiting[]) => Promise<Pass>;
}

/** A batch that was run, with whatever became of its commands. */
export interface ObservedBatch {
  readonly commands: readonly PaymentCommand[];
  /** With all that was run again. */
  readonly seconds: number;
}

/** Told of a batch before its callers are. */
export type BatchObserver = (batch: ObservedBatch) => void;

/** What `enter` opened. */
export interface Pass {
  readonly admits: (unit: CommandUnit) => boolean;
  /** Lets others in; called as soon as the accounts are locked, and again at the end. */
  readonly release: () => void;
}

/** Longer than all but the slowest transactions take. */
const SLOW_MS = 100;

const OPEN: Pass = { admits: () => true, release: () => undefined };

/**
 * While one transaction commits, arriving units wait and go together into the next one. A lone
 * unit never waits: the batch is whatever is there when the lane is free. Another transaction may
 * run beside it, of units that have no account in common with it, so that PostgreSQL has work while
 * this process decides, and the other way round; units of one account keep their order.
 */
export function createLane(deps: LaneDeps): Lane {
  const { clock, minBatchBeside = 1 } = deps;
  let queue: Waiting[] = [];
  let waitingCommands = 0;
  let running = 0;
  /** Batches that are committed and not yet answered. */
  let answering = 0;
  let scheduled = false;
  /** The accounts of all transactions that run. */
  const busy = new Set<string>();
  /** With how many waiting commands it's worth to look for a batch beside one that runs. */
  let besideFrom = minBatchBeside;
  /** Transactions that take their time, as when somebody keeps an account locked. */
  let slow = 0;

  /** Begins when this turn of the event loop has read all requests that have arrived. */
  function schedule(): void {
    if (scheduled || !mayRun()) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      runWhatMay();
    });
  }

  function mayRun(): boolean {
    if (queue.length === 0 || running >= deps.width) return false;
    return running === 0 || waitingCommands >= besideFrom;
  }

  function runWhatMay(): void {
    while (mayRun()) void runNext();
  }

  /**
   * Runs one batch. If others wait when it's done, PostgreSQL gets the next one first, and has work
   * while the answers of this one are written.
   */
  async function runNext(): Promise<void> {
    running++;
    const pass = deps.enter === undefined ? OPEN : await deps.enter(queue);
    const batch = takeBatch(pass);
    if (batch.length === 0 && running > 1) {
      // Too few can go beside the others: again when there are more, or when one of them is done.
      besideFrom = waitingCommands + leastBeside();
      running--;
      return;
    }
    const accounts = batch.flatMap(accountsOfUnit);
    for (const id of accounts) busy.add(id);
    const settled = await run(batch, pass);
    pass.release();
    for (const id of accounts) busy.delete(id);
    besideFrom = leastBeside();
    running--;
    answering++;
    const answer = () => {
      for (const [unit, outcomes] of settled) settle(unit, outcomes);
      answering--;
      if (isIdle()) deps.onIdle();
      schedule();
    };
    if (queue.length === 0) return answer();
    runWhatMay();
    setImmediate(answer);
  }

  /** Beside one that may take long, nobody waits until there are many. */
  function leastBeside(): number {
    return slow > 0 ? 1 : minBatchBeside;
  }

  /** Lets others pass a transaction that takes its time; returns what is to be done when it ends. */
  function watchForSlowness(): () => void {
    let isSlow = false;
    const timer = setTimeout(() => {
      isSlow = true;
      slow++;
      besideFrom = leastBeside();
      schedule();
    }, SLOW_MS);
    return () => {
      clearTimeout(timer);
      if (isSlow) slow--;
    };
  }

  async function run(batch: readonly Waiting[], pass: Pass) {
    const settled: [Waiting, readonly CommitOutcome[]][] = [];
    if (batch.length === 0) return settled;
    const startMs = clock.monotonicMs();
    const commit: CommitBatch = (units) => deps.commit(units, pass.release);
    const endWatch = watchForSlowness();
    await runBatch(commit, batch, (unit, outcomes) => settled.push([unit, outcomes]));
    endWatch();
    const commands = batch.flatMap((unit) => unit.commands);
    deps.observe?.({ commands, seconds: (clock.monotonicMs() - startMs) / 1000 });
    return settled;
  }

  /**
   * Whole units up to the size of a batch, at least one; none if it isn't worth it. Those whose time
   * is up never begin. Who waits for an account lets nobody pass who needs one of the same.
   */
  function takeBatch(pass: Pass): Waiting[] {
    const nowMs = clock.monotonicMs();
    const batch: Waiting[] = [];
    const left: Waiting[] = [];
    const late: Waiting[] = [];
    const taken = new Set(busy);
    let size = 0;
    let isFull = false;
    for (const unit of queue) {
      isFull ||= size > 0 && size + unit.commands.length > deps.maxBatch;
      if (unit.deadlineMs <= nowMs) {
        late.push(unit);
      } else if (isFull) {
        left.push(unit);
      } else if (!pass.admits(unit) || (taken.size > 0 && needsOneOf(taken, unit))) {
        for (const id of accountsOfUnit(unit)) taken.add(id);
        left.push(unit);
      } else {
        batch.push(unit);
        size += unit.commands.length;
      }
    }
    if (running > 1 && size < leastBeside()) return [];
    queue = left;
    for (const { commands } of [...batch, ...late]) waitingCommands -= commands.length;
    for (const unit of late) unit.reject(new ServiceError("DEADLINE_EXCEEDED"));
    return batch;
  }

  function push(unit: Waiting): void {
    queue.push(unit);
    waitingCommands += unit.commands.length;
    schedule();
  }

  function settle(unit: Waiting, outcomes: readonly CommitOutcome[]): void {
    if (outcomes.some((outcome) => outcome.kind === "again")) push(unit);
    else unit.resolve(outcomes);
  }

  function isIdle(): boolean {
    return queue.length === 0 && running === 0 && answering === 0;
  }

  return {
    push,
    get waiting() {
      return waitingCommands;
    },
    get isIdle() {
      return isIdle();
    },
  };
}

function needsOneOf(accounts: ReadonlySet<string>, unit: CommandUnit): boolean {
  return accountsOfUnit(unit).some((id) => accounts.has(id));
}

/** The accounts of all commands of a unit. */
export function accountsOfUnit({ commands }: CommandUnit): string[] {
  return commands.flatMap(accountsOf);
}
