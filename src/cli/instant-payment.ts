#!/usr/bin/env -S node --max-semi-space-size=64
import { runCommand } from "./dispatch.ts";

process.exitCode = await runCommand(process.argv.slice(2));
