/** A fenced block of a Markdown page. */
export interface Sample {
  /** `sh`, `json`, … ; empty if the fence names none. */
  readonly language: string;
  readonly text: string;
  /** The line of text that introduces it. */
  readonly introduction: string;
}

/** A part of the page, from a heading of the second level to the next. */
export interface Section {
  readonly title: string;
  readonly samples: readonly Sample[];
}

/** The sections of a page that have samples, in order; what's before the first is titled "". */
export function sectionsOf(markdown: string): Section[] {
  return markdown
    .split(/^## /m)
    .map((part, index) => ({
      title: index === 0 ? "" : (part.split("\n", 1)[0] ?? ""),
      samples: [...part.matchAll(/(.*)\n+^```(\w*)\n([^]*?)\n^```$/gm)].map(
        ([, introduction = "", language = "", text = ""]) => ({ introduction, language, text }),
      ),
    }))
    .filter(({ samples }) => samples.length > 0);
}

/** The text with every UUID and every time replaced: what stays is the same in each run. */
export function withoutIds(text: string): string {
  return text
    .replaceAll(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "<id>")
    .replaceAll(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "<time>");
}

/** Commands that stay until Ctrl-C. */
const STAYS = /^(npx node|\.\.\/reports\/bin\/python) \S+\/(events|webhooks)\.(ts|py)$/;

/**
 * The command; one that stays is ended once it has shown an event. With job control it leads a group
 * of its own: npx, told to end, would leave its program to show events of the next sample's.
 */
export function untilItShows(command: string): string {
  if (!STAYS.test(command)) return command;
  // A receiver answers only after it has shown what it received.
  const seen = "until grep SETTLED ../shown; do sleep 0.2; done; sleep 1";
  return `: >../shown; set -m; ${command} >../shown & PID=$!; set +m; ${seen}; kill -- -$PID`;
}
