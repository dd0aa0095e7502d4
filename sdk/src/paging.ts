import type { MembersOf } from "./members.ts";
import { CALL_OPTIONS, type CallOptions } from "./retry.ts";

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

/** What a list takes that has no filters: the members of PageOptions and CallOptions. */
export const PAGE_OPTIONS: MembersOf<PageOptions & CallOptions> = {
  ...CALL_OPTIONS,
  pageSize: true,
  pageToken: true,
};

/**
 * A list that is fetched page by page while it's read: `for await (const item of list)`. Each
 * iteration starts anew. Leaving the loop asks for no further page.
 */
export interface Paged<T, P extends Page<T> = Page<T>> extends AsyncIterable<T> {
  /** The same, one page at a time. */
  pages(): AsyncIterable<P>;
}

/** Makes a list of a function that fetches the page of a token, `""` is the first, in one call. */
export function createPaged<T, P extends Page<T>>(
  { pageToken: firstToken = "", signal, timeoutMs }: PageOptions & CallOptions,
  fetchPage: (pageToken: string, options: CallOptions) => Promise<P>,
): Paged<T, P> {
  async function* pages(): AsyncGenerator<P, void> {
    let pageToken = firstToken;
    do {
      const page = await fetchPage(pageToken, { signal, timeoutMs });
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
