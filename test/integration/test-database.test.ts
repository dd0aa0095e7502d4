import { Client } from "pg";
import { expect, test } from "vitest";
import { createTestDatabase } from "../support/postgres.ts";

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test("each test database is empty and nobody else's", async () => {
  const [one, two] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  await query(one.url, "CREATE TABLE t (id int)");
  await expect(query(two.url, "SELECT * FROM t")).rejects.toThrow('relation "t" does not exist');
  await Promise.all([one.drop(), two.drop()]);
  await expect(query(one.url, "SELECT 1")).rejects.toThrow("does not exist");
});

test("a template is prepared once and copied for each database", async () => {
  let prepared = 0;
  const template = {
    name: "template_test",
    async prepare(url: string) {
      prepared += 1;
      await query(url, "CREATE TABLE t AS SELECT 7 AS id");
    },
  };
  const databases = await Promise.all([1, 2, 3].map(() => createTestDatabase(template)));
  for (const { url, drop } of databases) {
    expect(await query(url, "SELECT id FROM t")).toEqual([{ id: 7 }]);
    await drop();
  }
  expect(prepared).toBe(1);
});
