/** One subcommand of `instant-payment`. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** The whole help text below the usage line. */
  readonly help: string;
  /** Its own options, besides --json and --help. */
  readonly options?: Readonly<Record<string, { readonly type: "string" | "boolean" }>>;
  /** Runs to the end and returns the exit code. Throws StartupError for an expected failure. */
  readonly run: (options: CommandOptions) => Promise<number>;
}

/** What a command is given. */
export interface CommandOptions {
  /** The result as one JSON object instead of sentences. */
  readonly json: boolean;
  /** The command's own options, as they were given. */
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  /** Writes a result for people or programs, to standard output. */
  readonly print: (text: string) => void;
  /** Writes a line for people, to standard error. */
  readonly warn: (line: string) => void;
  /** Aborted once nobody reads standard output any more: what is printed from then on is void. */
  readonly unread: AbortSignal;
}

/** What an error says, never empty. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Of several addresses none of which answers, Node tells the code alone.
  return error.message || ("code" in error ? String(error.code) : error.name);
}
