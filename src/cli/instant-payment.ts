#!/usr/bin/env node
import { runCommand } from "./dispatch.ts";

process.exitCode = await runCommand(process.argv.slice(2));
