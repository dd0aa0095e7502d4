/** Does a work for many ids at a time: those that come while it runs wait for its next turn. */
export function inTurns<T>(
  work: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>,
): (id: string) => Promise<T | undefined> {
  let waiting = new Set<string>();
  let next: Promise<ReadonlyMap<string, T>> | undefined;
  let running: Promise<unknown> = Promise.resolve();

  async function begin(): Promise<ReadonlyMap<string, T>> {
    await running.catch(() => undefined);
    const ids = [...waiting];
    waiting = new Set();
    next = undefined;
    const result = work(ids);
    running = result;
    return result;
  }
  return async (id) => {
    waiting.add(id);
    return (await (next ??= begin())).get(id);
  };
}
