import { randomBytes } from "node:crypto";
import { Client } from "pg";
import { inject } from "vitest";

/** A database of a test's own. */
export interface TestDatabase {
  readonly url: string;
  /** Cuts what is still connected and removes the database. */
  readonly drop: () => Promise<void>;
}

/** What a new database is a copy of. */
export interface TestTemplate {
  /** Same name, same content: it is made once in a test run. */
  readonly name: string;
  /** Fills the template through its URL and leaves no connection open. */
  readonly prepare: (url: string) => Promise<void>;
}

const TEMPLATE_LOCK = 1;

/** A new database on the test run's PostgreSQL: empty, or a quick copy of the template. */
export async function createTestDatabase(template?: TestTemplate): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString("hex")}`;
  await asSuperuser(async (client) => {
    if (template === undefined) {
      await client.query(`CREATE DATABASE ${name}`);
      return;
    }
    await ensureTemplate(client, template);
    await client.query(
      `CREATE DATABASE ${name} TEMPLATE ${client.escapeIdentifier(template.name)}`,
    );
  });
  return {
    url: urlOf(name),
    drop: () =>
      asSuperuser(async (client) => {
        await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
      }),
  };
}

/** Filled under another name, so that a template whose making failed is never copied. */
async function ensureTemplate(client: Client, { name, prepare }: TestTemplate): Promise<void> {
  await client.query("SELECT pg_advisory_lock($1)", [TEMPLATE_LOCK]);
  const found = await client.query("SELECT FROM pg_database WHERE datname = $1", [name]);
  if (found.rowCount === 0) {
    const unfinished = `template_${randomBytes(8).toString("hex")}`;
    await client.query(`CREATE DATABASE ${unfinished}`);
    await prepare(urlOf(unfinished));
    await client.query(`ALTER DATABASE ${unfinished} RENAME TO ${client.escapeIdentifier(name)}`);
  }
  await client.query("SELECT pg_advisory_unlock($1)", [TEMPLATE_LOCK]);
}

async function asSuperuser(work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: inject("postgresUrl") });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

function urlOf(database: string): string {
  const url = new URL(inject("postgresUrl"));
  url.pathname = `/${database}`;
  return url.href;
}
