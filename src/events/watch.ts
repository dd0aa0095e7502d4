import type { Clock } from "../kernel/clock.ts";
import { backoffMs } from "../kernel/backoff.ts";
import type { Logger } from "../platform/logger.ts";

/** What a watcher wants to know: what of this id is new after the place up to which it knows all. */
export interface Question<Place> {
  readonly id: string;
  readonly place: Place;
}

/** What is new. */
export interface News {
  /** There's more already than one answer holds. */
  readonly hasMore: boolean;
}

/** What a watch is made of. */
export interface WatchDeps<Place, Answer extends News> {
  /** Answers all questions in one statement; by their index, none where nothing is new. */
  readonly look: (questions: readonly Question<Place>[]) => Promise<ReadonlyMap<number, Answer>>;
  /** The same for questions with the same answer, among those of one id. */
  readonly keyOf: (place: Place) => string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** In place of `HEARTBEAT_MS`. */
  readonly heartbeatMs?: number;
}

/** Looks for news for all watchers of this process together. */
export interface Watch<Place, Answer extends News> {
  /** From now on there's a watcher of this id, until the signal is aborted. */
  open(id: string, signal: AbortSignal): Watcher<Place, Answer>;
  /** Tells that something of these ids was committed in this process, so that nobody waits for it. */
  wake(ids: Iterable<string>): void;
}

/** Somebody who wants to hear of news, one after the other. */
export interface Watcher<Place, Answer extends News> {
  /**
   * What is new after the place, as soon as there is something; undefined, as a heartbeat, when
   * there was nothing for a while. Between two questions nothing is kept for the watcher. Throws the
   * signal's reason.
   */
  next(place: Place): Promise<Answer | undefined>;
}

/** After so long without news there's a heartbeat. */
const HEARTBEAT_MS = 10_000;
/** From one look for all watchers to the next. */
const LOOK_MS = 100;
/** Looks take no more than this part of the time, however many watchers there are. */
const MOST_BUSY = 0.2;
/** From one look to the next for those of whom something is known to be new. */
const QUICK_MS = 5;
const BACKOFF_MS = { first: 100, most: 5_000 };

interface Waiting<Place, Answer> {
  readonly place: Place;
  readonly sinceMs: number;
  readonly resolve: (answer: Answer | undefined) => void;
  readonly reject: (reason: unknown) => void;
}

interface Member<Place, Answer> {
  readonly id: string;
  question: Waiting<Place, Answer> | undefined;
  /** Something of it may be new: it's looked for without waiting for the look for all. */
  isDue: boolean;
}

/**
 * Asks PostgreSQL, so any instance serves any watcher. While somebody watches, there's a look for
 * all watchers every 100 ms; what this process has committed, and what a watcher hasn't taken yet, is
 * looked for at once. A heartbeat is sent after a look, so it says that there was nothing new then:
 * while PostgreSQL is away there is none. What a watcher asks for next is its own to know, so a slow
 * one costs no memory.
 */
export function createWatch<Place, Answer extends News>(
  deps: WatchDeps<Place, Answer>,
): Watch<Place, Answer> {
  const { clock, logger, heartbeatMs = HEARTBEAT_MS } = deps;
  const members = new Map<string, Set<Member<Place, Answer>>>();
  const due = new Set<Member<Place, Answer>>();
  let isRunning = false;
  let failures = 0;
  let wakeUp = (): void => undefined;

  async function run(): Promise<void> {
    let nextForAllMs = clock.monotonicMs();
    while (members.size > 0) {
      const startMs = clock.monotonicMs();
      const isForAll = startMs >= nextForAllMs;
      const isDone = await look(isForAll ? everybody() : [...due]);
      const tookMs = clock.monotonicMs() - startMs;
      if (isForAll) {
        if (isDone) sendHeartbeats(startMs);
        nextForAllMs = startMs + Math.max(LOOK_MS, tookMs / MOST_BUSY);
      }
      if (isDone) await pause(startMs + QUICK_MS - clock.monotonicMs());
      else await pause(backoffMs(failures, BACKOFF_MS.first, BACKOFF_MS.most));
      if (due.size === 0) await pause(nextForAllMs - clock.monotonicMs(), true);
    }
    isRunning = false;
  }

  function* everybody(): Generator<Member<Place, Answer>> {
    for (const ofId of members.values()) yield* ofId;
  }

  /** Answers the questions of those for whom there is something; false if it failed. */
  async function look(those: Iterable<Member<Place, Answer>>): Promise<boolean> {
    const askers = new Map<string, Member<Place, Answer>[]>();
    const questions: Question<Place>[] = [];
    for (const member of those) {
      // Woken while it was told: it's due when it asks again.
      if (member.question === undefined) member.isDue ||= due.has(member);
      due.delete(member);
      if (member.question === undefined) continue;
      const { place } = member.question;
      const key = `${member.id} ${deps.keyOf(place)}`;
      const others = askers.get(key);
      if (others) others.push(member);
      else {
        askers.set(key, [member]);
        questions.push({ id: member.id, place });
      }
    }
    if (questions.length === 0) return true;
    try {
      const answers = await deps.look(questions);
      const groups = [...askers.values()];
      for (const [i, answer] of answers) for (const member of groups[i]!) tell(member, answer);
      if (failures > 0) logger.info({ failures }, "watchers are told of news again");
      failures = 0;
      return true;
    } catch (err) {
      failures++;
      logger.warn({ err, failures }, "watchers can't be told of news now");
      return false;
    }
  }

  function tell(member: Member<Place, Answer>, answer: Answer | undefined): void {
    const { question } = member;
    member.question = undefined;
    member.isDue ||= answer?.hasMore === true;
    question?.resolve(answer);
  }

  function sendHeartbeats(lookedMs: number): void {
    for (const member of everybody()) {
      const { question } = member;
      if (question && lookedMs - question.sinceMs >= heartbeatMs) tell(member, undefined);
    }
  }

  /** Waits; if it may be woken, no longer than until somebody is due. */
  function pause(ms: number, mayWake = false): Promise<void> {
    if (ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms).unref();
      if (!mayWake) return;
      wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  function makeDue(member: Member<Place, Answer>): void {
    member.isDue = false;
    due.add(member);
    wakeUp();
  }

  return {
    open(id, signal) {
      const member: Member<Place, Answer> = { id, question: undefined, isDue: true };
      const ofId = members.get(id) ?? new Set();
      members.set(id, ofId.add(member));
      signal.addEventListener("abort", leave, { once: true });
      if (signal.aborted) leave();

      function leave(): void {
        ofId.delete(member);
        if (ofId.size === 0 && members.get(id) === ofId) members.delete(id);
        due.delete(member);
        member.question?.reject(signal.reason);
        member.question = undefined;
      }
      if (!isRunning) {
        isRunning = true;
        void run();
      }
      return {
        next(place) {
          signal.throwIfAborted();
          const sinceMs = clock.monotonicMs();
          return new Promise((resolve, reject) => {
            member.question = { place, sinceMs, resolve, reject };
            if (member.isDue) makeDue(member);
          });
        },
      };
    },
    wake(ids) {
      for (const id of ids) {
        for (const member of members.get(id) ?? []) {
          if (member.question) makeDue(member);
          else member.isDue = true;
        }
      }
    },
  };
}
