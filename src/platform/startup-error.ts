/** What a failed start is told as: exit codes from sysexits.h, which supervisors know. */
export const EXIT_CODES = { usage: 64, unavailable: 69, settings: 78 } as const;

/**
 * An expected reason why the process can't start or a command can't run. Its message is printed
 * as it is, without a stack: one line that says what is wrong and what to do about it.
 */
export class StartupError extends Error {
  override readonly name = "StartupError";
  readonly exitCode: number;

  constructor(kind: keyof typeof EXIT_CODES, message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.exitCode = EXIT_CODES[kind];
  }
}
