/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Asks for the next page as `pageToken`; empty on the last one. */
  readonly nextPageToken: string;
}

/** What every list takes. */
export interface PageOptions {
  /** How many items one request brings: 50 by default, at most 1,000. */
  readonly pageSize?: number;
  /** `nextPageToken` of an earlier page of the same list: goes on after it. */
  readonly pageToken?: string;
}

/**
 * A list that is fetched page by page while it's read: `for await (const item of list)`. Each
 * iteration starts anew. Leaving the loop asks for no further page.
 */
export interface Paged<T, P extends Page<T> = Page<T>> extends AsyncIterable<T> {
  /** The same, one page at a time. */
  pages(): AsyncIterable<P>;
}

/** Makes a list of a function that fetches the page of a token; `""` is the first. */
export function createPaged<T, P extends Page<T>>(
  firstToken: string | undefined,
  fetchPage: (pageToken: string) => Promise<P>,
): Paged<T, P> {
  async function* pages(): AsyncGenerator<P, void> {
    let pageToken = firstToken ?? "";
    do {
      const page = await fetchPage(pageToken);
      yield page;
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }
  return {
    pages,
    async *[Symbol.asyncIterator]() {
      for await (const page of pages()) yield* page.items;
    },
  };
}
