import { type DestinationStream, type Level, type Logger as Pino, destination, pino } from "pino";

/** The log of the service: one JSON object a line. */
export type Logger = Pino;

/**
 * A logger that writes from `level` on to standard error, or to `stream`. Of an error it writes
 * name, message, code, stack and causes, nothing else: a database error's details hold data, and
 * MikroORM puts them into further lines of the message.
 */
export function createLogger(level: Level | "silent", stream?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => describeError(error, MAX_CAUSES) },
      redact: { paths: ["authorization", "*.authorization"], censor: "[redacted]" },
    },
    stream ?? destination({ fd: 2, sync: true }),
  );
}

const MAX_CAUSES = 5;

function describeError(error: unknown, causes: number): unknown {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? error.code : undefined;
  const cause = causes > 0 && error.cause !== undefined ? error.cause : undefined;
  return {
    name: error.name,
    message: error.message.split("\n", 1)[0],
    code,
    stack: error.stack?.match(/^ +at .*$/gm)?.join("\n"),
    cause: cause === undefined ? undefined : describeError(cause, causes - 1),
  };
}
