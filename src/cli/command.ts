/** One subcommand of `instant-payment`. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** The whole help text below the usage line. */
  readonly help: string;
  /** Runs to the end and returns the exit code. Throws StartupError for an expected failure. */
  readonly run: (options: CommandOptions) => Promise<number>;
}

/** What a command is given. */
export interface CommandOptions {
  /** The result as one JSON object instead of sentences. */
  readonly json: boolean;
  /** Writes a result for people or programs, to standard output. */
  readonly print: (text: string) => void;
}
