import { openTcpProxy, type ProxiedConnection } from "./tcp-proxy.ts";

/** When the proxy cuts a connection over which a COMMIT goes. */
export type Cut = "never" | "before the commit" | "after the commit";

/** A way to PostgreSQL that breaks as a network does. */
export interface CuttingProxy {
  /** The given URL, through the proxy. */
  readonly url: string;
  /** How many more COMMITs are cut, and when. */
  cutCommits(cut: Cut, times: number): void;
  /** How many have been cut. */
  readonly cuts: number;
  /** Refuses everybody, and cuts who is there, until it's called with false. */
  goAway(away: boolean): void;
  close(): Promise<void>;
}

/** Opens a proxy to the PostgreSQL of a URL. The query that ends with `commit` is the COMMIT. */
export async function openCuttingProxy(url: string): Promise<CuttingProxy> {
  let cut: Cut = "never";
  let left = 0;
  let cuts = 0;
  let isAway = false;

  function relay({ client, upstream, end }: ProxiedConnection): void {
    let committing = false;
    client.on("data", (bytes) => {
      if (left > 0 && bytes.includes("commit\0")) {
        left--;
        if (cut === "before the commit") {
          cuts++;
          end();
          return;
        }
        committing = true;
      }
      upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      // The answer to COMMIT stays here: whoever waits for it never learns what it was.
      if (committing) {
        if (!bytes.includes("COMMIT\0")) return;
        cuts++;
        end();
        return;
      }
      client.write(bytes);
    });
  }
  const proxy = await openTcpProxy(url, { relay, admits: () => !isAway });
  return {
    url: proxy.url,
    cutCommits(when, times) {
      cut = when;
      left = times;
    },
    get cuts() {
      return cuts;
    },
    goAway(away) {
      isAway = away;
      if (away) proxy.cutAll();
    },
    close: () => proxy.close(),
  };
}
