import { type Verification, createVerifyLedger } from "../ledger/verify.ts";
import { administrator } from "../platform/authenticate.ts";
import { createUnitOfWork } from "../platform/unit-of-work.ts";
import { assertMigrated } from "../scheduler/prepare-schema.ts";
import type { Command } from "./command.ts";
import { withDatabase } from "./with-database.ts";

/** Proves that the books are right. */
export const verify: Command = {
  summary: "Check that debits equal credits and balances equal entries",
  help: [
    "Reads the whole ledger in one snapshot, also while the service runs, and changes nothing.",
    "Exits with 0 if all is right and with 1 if something isn't. --json: the counts and findings.",
  ].join("\n"),
  async run({ json, print }) {
    const found = await withDatabase(async (database) => {
      await assertMigrated(database);
      return createVerifyLedger({ unitOfWork: createUnitOfWork(database) })(administrator());
    });
    const ok = found.findings.length === 0;
    print(json ? JSON.stringify({ ok, ...found }) : describe(found));
    return ok ? 0 : 1;
  },
};

function describe({ accounts, payments, entries, events, findings }: Verification): string {
  const counts = `${accounts} accounts, ${payments} payments, ${entries} entries, ${events} events`;
  if (findings.length === 0) return `the ledger is right: ${counts}`;
  const lines = findings.map(({ kind, subjectId, detail }) => `${kind} ${subjectId}: ${detail}`);
  return [`the ledger is wrong: ${counts}`, ...lines].join("\n");
}
