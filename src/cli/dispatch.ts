import { readFileSync } from "node:fs";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { unknownSettingsIn, wantsStacks } from "../config.ts";
import { isDenial } from "../platform/postgres-errors.ts";
import { EXIT_CODES, StartupError } from "../platform/startup-error.ts";
import { type Command, type CommandOptions, messageOf } from "./command.ts";
import { eventsTail } from "./events-tail.ts";
import { keysCreate, keysList, keysRevoke, keysRotate } from "./keys.ts";
import { migrate } from "./migrate.ts";
import { serve } from "./serve.ts";
import { verify } from "./verify.ts";

const COMMANDS: Readonly<Record<string, Command>> = {
  serve,
  migrate,
  verify,
  "events tail": eventsTail,
  "keys create": keysCreate,
  "keys list": keysList,
  "keys rotate": keysRotate,
  "keys revoke": keysRevoke,
};

/**
 * Runs `instant-payment` with the arguments after the program's name and returns the exit code:
 * 0, 1 for a negative result, or one of sysexits.h after a line on standard error for each reason.
 * What nobody foresaw is told in a line too, with 1; LOG_LEVEL=debug or trace adds where it was
 * thrown.
 */
export async function runCommand(args: readonly string[]): Promise<number> {
  const unread = watchReaders();
  try {
    const { name, command, help, values } = parse(args);
    if (values["version"] === true) {
      print(versionOf());
      return 0;
    }
    if (command === undefined || help) {
      print(usage(name));
      return 0;
    }
    // The service tells them in its log.
    if (command !== serve) unknownSettingsIn().forEach(warn);
    return await command.run({ json: values["json"] === true, print, warn, unread, values });
  } catch (error) {
    const expected = error instanceof StartupError ? error : denialIn(error);
    if (expected !== undefined) {
      for (const line of expected.message.split("\n")) warn(line);
      return expected.exitCode;
    }
    warn(reasonOf(error));
    if (wantsStacks() && error instanceof Error) process.stderr.write(`${placesOf(error)}\n`);
    return 1;
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function warn(line: string): void {
  process.stderr.write(`instant-payment: ${line}\n`);
}

/** The first line alone: MikroORM puts a statement's data into further ones. */
function firstLineOf(error: unknown): string | undefined {
  return messageOf(error).split("\n", 1)[0];
}

/** What a role is told that may connect to the database but not do this in it. */
function denialIn(error: unknown): StartupError | undefined {
  if (!isDenial(error)) return undefined;
  const reason = `the database refuses us (${firstLineOf(error)})`;
  const hint = "DATABASE_URL's user must own the database and what is in it";
  return new StartupError("unavailable", `${reason}: ${hint}`, { cause: error });
}

function reasonOf(error: unknown): string {
  const reason = firstLineOf(error);
  return wantsStacks() ? `failed: ${reason}` : `failed: ${reason} (LOG_LEVEL=debug tells where)`;
}

function placesOf(error: Error): string {
  return error.stack?.match(/^ +at .*$/gm)?.join("\n") ?? "";
}

/** `| head -1` has read enough: nobody's fault, and no reason to leave anything half done. */
function watchReaders(): AbortSignal {
  const unread = new AbortController();
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      if (stream === process.stdout) unread.abort();
    });
  }
  return unread.signal;
}

/** The command to run; undefined if only help or the version is asked for. */
function parse(args: readonly string[]) {
  const { values, positionals } = parseOptions(args);
  const name = positionals.join(" ");
  const command = COMMANDS[name];
  const help = values["help"] === true;
  const own = new Set(["json", "help", ...Object.keys(command?.options ?? {})]);
  if (command === undefined) own.add("version");
  const needsNone = values["version"] === true ? name === "" : help && commandsOf(name).length > 0;
  if (command === undefined && !needsNone) {
    throw misuse(name === "" ? "a command is missing" : `what is '${name}'?`);
  }
  const foreign = Object.keys(values).find((option) => !own.has(option));
  if (foreign !== undefined) throw misuse(`'${name}' has no option --${foreign}`);
  return { name, command, help, values };
}

function parseOptions(args: readonly string[]) {
  const options: NonNullable<ParseArgsConfig["options"]> = {
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
    version: { type: "boolean" },
  };
  for (const command of Object.values(COMMANDS)) Object.assign(options, command.options);
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return { positionals, values: values as CommandOptions["values"] };
  } catch (error) {
    throw misuse(error instanceof Error ? (error.message.split(". ")[0] ?? "") : String(error));
  }
}

function misuse(reason: string): StartupError {
  const names = Object.keys(COMMANDS).join(", ");
  return new StartupError("usage", `${reason}; the commands are ${names}, see --help`);
}

function usage(name: string): string {
  const command = COMMANDS[name];
  const exits = `Exit codes: 0 done, 1 something is wrong, ${EXIT_CODES.usage} misused, `;
  if (command !== undefined) {
    return `usage: instant-payment ${name} [--json] [--help]\n\n${command.help}`;
  }
  return [
    `usage: instant-payment ${name === "" ? "" : `${name} `}<command> [--json] [--help]`,
    name === "" ? "       instant-payment --version\n" : "",
    ...commandsOf(name).map(([name, { summary }]) => `  ${name.padEnd(13)}${summary}`),
    "",
    "Settings are environment variables: see README.md.",
    `${exits}${EXIT_CODES.unavailable} something can't be had, ${EXIT_CODES.settings} a setting is wrong.`,
  ].join("\n");
}

/** All of them, or those that begin with the word. */
function commandsOf(word: string): [string, Command][] {
  return Object.entries(COMMANDS).filter(([name]) => word === "" || name.startsWith(`${word} `));
}

function versionOf(): string {
  const file = new URL("../../package.json", import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")).version;
}
