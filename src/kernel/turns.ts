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
