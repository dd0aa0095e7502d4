import { parseArgs } from "node:util";
import { EXIT_CODES, StartupError } from "../platform/startup-error.ts";
import type { Command } from "./command.ts";
import { migrate } from "./migrate.ts";
import { serve } from "./serve.ts";
import { verify } from "./verify.ts";

const COMMANDS: Readonly<Record<string, Command>> = { serve, migrate, verify };

/**
 * Runs `instant-payment` with the arguments after the program's name and returns the exit code:
 * 0, 1 for a negative result, or one of sysexits.h after a line on standard error for each reason.
 */
export async function runCommand(args: readonly string[]): Promise<number> {
  try {
    const { command, json } = parse(args);
    if (command === undefined) {
      print(usage(args[0]));
      return 0;
    }
    return await command.run({ json, print });
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    for (const line of error.message.split("\n")) {
      process.stderr.write(`instant-payment: ${line}\n`);
    }
    return error.exitCode;
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** The command to run; undefined if help is asked for. */
function parse(args: readonly string[]): { command: Command | undefined; json: boolean } {
  const { values, positionals } = parseOptions(args);
  const [name, ...rest] = positionals;
  if (values.help) return { command: undefined, json: false };
  const command = name === undefined ? undefined : COMMANDS[name];
  if (command === undefined || rest.length > 0) {
    const wrong = command === undefined ? name : rest[0];
    throw misuse(wrong === undefined ? "a command is missing" : `what is '${wrong}'?`);
  }
  return { command, json: values.json ?? false };
}

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: { json: { type: "boolean" }, help: { type: "boolean", short: "h" } },
      allowPositionals: true,
    });
  } catch (error) {
    throw misuse(error instanceof Error ? (error.message.split(". ")[0] ?? "") : String(error));
  }
}

function misuse(reason: string): StartupError {
  const names = Object.keys(COMMANDS).join(", ");
  return new StartupError("usage", `${reason}; the commands are ${names}, see --help`);
}

function usage(name: string | undefined): string {
  const command = COMMANDS[name ?? ""];
  const exits = `Exit codes: 0 done, 1 something is wrong, ${EXIT_CODES.usage} misused, `;
  if (command !== undefined) {
    return `usage: instant-payment ${name} [--json] [--help]\n\n${command.help}`;
  }
  return [
    "usage: instant-payment <command> [--json] [--help]",
    "",
    ...Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`),
    "",
    "Settings are environment variables: see README.md.",
    `${exits}${EXIT_CODES.unavailable} something can't be had, ${EXIT_CODES.settings} a setting is wrong.`,
  ].join("\n");
}
