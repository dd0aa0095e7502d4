/** Runs work when all that was handed in before has ended, however it ended. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/** Makes a queue of work of which nothing runs beside anything else. */
export function createTurns(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
}

/** Does a work for many ids at a time: those that come while it runs wait for its next turn. */
export function inTurns<T>(
  work: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>,
): (id: string) => Promise<T | undefined> {
  const inTurn = createTurns();
  let waiting = new Set<string>();
  let next: Promise<ReadonlyMap<string, T>> | undefined;

  function begin(): Promise<ReadonlyMap<string, T>> {
    const ids = [...waiting];
    waiting = new Set();
    next = undefined;
    return work(ids);
  }
  return async (id) => {
    waiting.add(id);
    return (await (next ??= inTurn(begin))).get(id);
  };
}
