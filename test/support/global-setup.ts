import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startEmbeddedPostgres } from "../../src/platform/embedded-postgres.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The test run's PostgreSQL, with a superuser; each test file makes its own database in it. */
    readonly postgresUrl: string;
  }
}

/** Starts one PostgreSQL for the whole run, with its safety off, and ends it after the last test. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const version = process.versions.node;
  if (Number.parseInt(version, 10) < 24) {
    throw new Error(
      `Node ${version} is too old: use Node 24, or "npm test", which brings its own.`,
    );
  }
  const dataDir = await mkdtemp(join(tmpdir(), "instant-payment-test-"));
  await chmod(dataDir, 0o711);
  const postgres = await startEmbeddedPostgres({
    dataDir,
    database: "tests",
    settings: { fsync: "off", full_page_writes: "off", max_connections: "300" },
  });
  async function teardown(): Promise<void> {
    await postgres.stop();
    await rm(dataDir, { recursive: true });
  }
  // A run that is ended from outside would leave its PostgreSQL behind.
  process.once("SIGTERM", () => void teardown().finally(() => process.exit(143)));
  project.provide("postgresUrl", postgres.url);
  return teardown;
}
