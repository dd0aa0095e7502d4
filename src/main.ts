import { runCommand } from "./cli/dispatch.ts";

process.exitCode = await runCommand(["serve", ...process.argv.slice(2)]);
