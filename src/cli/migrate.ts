import { prepareSchema } from "../scheduler/prepare-schema.ts";
import type { Command } from "./command.ts";
import { withDatabase } from "./with-database.ts";

/** Brings the database to what this program needs. */
export const migrate: Command = {
  summary: "Bring the database's schema up to date",
  help: [
    "Runs the migrations that the database at DATABASE_URL (or the embedded one) lacks and makes",
    "the partitions of the coming months. Any number may run at once. --json: { migrations }.",
  ].join("\n"),
  async run({ json, print }) {
    const migrations = await withDatabase((database) =>
      prepareSchema(database, { mayMigrate: true }),
    );
    if (json) print(JSON.stringify({ migrations }));
    else if (migrations.length === 0) print("the database is up to date");
    else print(`migrated: ${migrations.join(", ")}`);
    return 0;
  },
};
